"""Profiles of networks of the zoo with random weights."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.command import log
from cnn_keras.experiments import training_runs

from ..benchmark.measurements import MeasurementOptions, measure_files
from ..benchmark.runner import TimingOptions
from ..conversion.untrained import untrained_files
from ..recipes import Recipe


class ZooProfile(NamedTuple):
    """A file of a network and its measurement.

    Attributes:
        network: Row of the zoo.
        recipe: Recipe of the file.
        row: The row of the benchmark, with its profile.
    """

    network: str
    recipe: str
    row: dict[str, Any]


def profile_networks(
    networks: Sequence[str],
    recipes: Sequence[Recipe],
    secs: float,
    image_size: int | None,
) -> tuple[list[ZooProfile], list[training_runs.FailedRun]]:
    """Time networks and their operations on this machine with one thread.

    Args:
        networks: Rows of the zoo.
        recipes: Recipes of their files.
        secs: Seconds of timed inferences of each file, and of its operations.
        image_size: Side of the input; None for those of the papers.

    Returns:
        The profiles, and the networks that failed.

    Raises:
        Error: All networks failed.
    """
    found: list[ZooProfile] = []
    failed: list[training_runs.FailedRun] = []
    for network in networks:
        log(network)
        with (
            training_runs.continue_on_error(network, failed),
            tempfile.TemporaryDirectory() as folder,
        ):
            files, images = untrained_files(network, recipes, image_size)
            options = MeasurementOptions(
                timing=TimingOptions(min_secs=secs),
                out=Path(folder, "rows.jsonl"),
                untrained=dict.fromkeys(files, images),
                profile=True,
                profile_secs=secs,
            )
            rows = measure_files(files, options).documents
            for recipe, row in zip(recipes, rows, strict=True):
                found.append(ZooProfile(network, recipe.name, row))
    training_runs.require_any(found, failed)
    return found, failed
