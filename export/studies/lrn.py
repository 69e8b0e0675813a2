"""Measure the cost of local response normalization (LRN): time networks with and without it.

XNNPACK does not run LiteRT's own operation for it. The networks therefore use operations that
XNNPACK runs (`cnn_keras.blocks.LocalResponseNormalization`), and static integer files keep these in
float.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_keras import zoo
from cnn_keras.command import log, progress
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host

from ..benchmark.comparison.latency_ratio import bootstrap_ratio
from ..benchmark.comparison.rounds import time_round
from ..benchmark.runner import LoadOptions, TimingOptions
from ..conversion.convert import convert
from ..conversion.quantize import quantize
from ..verification.audit import audit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The networks with LRN, and the option that leaves it out.
WITHOUT: dict[str, dict[str, Any]] = {
    "alexnet": {"lrn": False},
    "googlenet": {"normalization": "none"},
}

# Largest allowed ratio of the time with LRN to the time without, by recipe and threads.
LIMITS = {
    ("float32", 1): 1.06,
    ("float32", 2): 1.12,
    ("static_wi8_ai8", 1): 1.25,
    ("static_wi8_ai8", 2): 1.25,
}
CROPS = 8  # calibration images from each photograph; they do not change the times
PAIRS = 4  # blocks of each file that a pair of processes times alternately


class Cost(NamedTuple):
    """Latency of a network with LRN and without.

    Attributes:
        network: Row of the zoo.
        recipe: Recipe of the files.
        threads: Number of threads.
        with_p50_ms: Median over the rounds of the median latency with LRN.
        without_p50_ms: Median over the rounds of the median latency without LRN.
        ratio: Median over the rounds of the ratio of the two latencies.
        interval: 95 % bootstrap interval of the ratio.
        rounds: Ratio of each round.
    """

    network: str
    recipe: str
    threads: int
    with_p50_ms: float
    without_p50_ms: float
    ratio: float
    interval: tuple[float, float]
    rounds: list[float]


class File(NamedTuple):
    """Delegation of a file to XNNPACK."""

    network: str
    recipe: str
    lrn: bool
    nodes: int
    delegated_nodes: int | None
    partitions: int | None


def lrn(
    out: Path,
    *,
    networks: Sequence[str] = tuple(WITHOUT),
    image_size: int | None = None,
    secs: float = 2.0,
    rounds: int = 10,
) -> dict[str, Any]:
    """Time networks with and without local response normalization, and record the ratios.

    Each round starts a fresh process for each file, because the memory layout makes a process
    slightly faster or slower for its whole life.

    Args:
        out: Folder of the record and its figure.
        networks: Rows of `WITHOUT`.
        image_size: Side of the image; the paper's by default.
        secs: Seconds of timed inferences of each file in a round.
        rounds: Number of pairs of processes for each recipe and number of threads.

    Returns:
        The record.
    """
    costs: list[Cost] = []
    files: list[File] = []
    failed: list[training_runs.FailedRun] = []
    for network in networks:
        with (
            training_runs.continue_on_error(network, failed),
            tempfile.TemporaryDirectory() as folder,
        ):
            files += _write(network, image_size, Path(folder))
            costs += list(_costs(network, Path(folder), secs, rounds))
    training_runs.require_any(costs, failed)
    return write_record(
        out / "lrn.json",
        "benchmark",
        "local response normalization",
        claims(costs, files),
        seeds=[0],
        budget={"rounds": rounds, "pairs": PAIRS, "secs": secs, "image_size": image_size},
        details={
            "host": host()._asdict(),
            "weights": "random",
            "costs": [cost._asdict() for cost in costs],
            "files": [file._asdict() for file in files],
        },
        figure=_figure(costs),
        failed=failed,
    )


def claims(costs: Sequence[Cost], files: Sequence[File]) -> list[Claim]:
    """Return the claims that costs are within `LIMITS` and files are one partition of all nodes."""
    limits = [(cost, LIMITS[cost.recipe, cost.threads]) for cost in costs]
    partitions = [file.partitions for file in files]
    undelegated = [file.nodes - (file.delegated_nodes or 0) for file in files]
    return [
        *(
            Claim(
                f"{cost.network}, {cost.recipe}, {cost.threads} thread{'s' * (cost.threads > 1)}: "
                f"inference with LRN takes at most {limit} times as long as without",
                cost.ratio <= limit,
                cost.ratio,
                cost.interval,
            )
            for cost, limit in limits
        ),
        Claim(
            "every file, with LRN and without, is one XNNPACK partition (largest number)",
            set(partitions) == {1},
            max(count or 0 for count in partitions),
        ),
        Claim(
            "every node of every file is delegated (most nodes that are not)",
            max(undelegated) == 0,
            max(undelegated),
        ),
    ]


def _write(network: str, image_size: int | None, folder: Path) -> list[File]:
    """Write the files of a network with and without LRN for each recipe."""
    import keras

    log(f"{network}: converting")
    channels = zoo.network(network).input_shape[-1]
    shape = (image_size, image_size, channels) if image_size else None
    keras.utils.set_random_seed(0)
    models = {
        True: zoo.build(network, shape),
        False: zoo.build(network, shape, **WITHOUT[network]),
    }
    models[False].set_weights(models[True].get_weights())  # LRN has no weights
    images = crops(models[True].input_shape[1:3])
    files = []
    for has_lrn, model in models.items():
        float32 = convert(model)
        for recipe in dict.fromkeys(recipe for recipe, _ in LIMITS):
            content = quantize(float32, recipe, images)
            _path(folder, recipe, has_lrn).write_bytes(content)
            row = audit(content)
            counts = (row.nodes, row.delegated_nodes, row.partitions)
            files.append(File(network, recipe, has_lrn, *counts))
    return files


def crops(size: tuple[int, int]) -> Float32Images:
    """Return crops `(2 * CROPS, height, width, 3)` of scikit-learn's photographs, from -1 to 1.

    Args:
        size: Height and width.
    """
    from sklearn.datasets import load_sample_images
    from sklearn.feature_extraction.image import extract_patches_2d

    patches = [
        extract_patches_2d(photograph, size, max_patches=CROPS, random_state=0)
        for photograph in load_sample_images().images
    ]
    return np.concatenate(patches).astype(np.float32) / 127.5 - 1


def _costs(network: str, folder: Path, secs: float, rounds: int) -> Iterator[Cost]:
    """Time the files that `_write` writes."""
    timing = TimingOptions(num_runs=3, min_secs=secs / PAIRS)
    for recipe, threads in LIMITS:
        log(f"{network}, {recipe}, {threads} thread{'s' * (threads > 1)}")
        with_lrn, without = (
            LoadOptions(str(_path(folder, recipe, has_lrn)), threads) for has_lrn in (True, False)
        )
        compared = []
        with progress(network, rounds) as advance:
            for seed in range(rounds):
                compared.append(time_round((with_lrn, without), timing, PAIRS, seed))
                advance()
        ratios = [each.ratio(0, 1) for each in compared]
        rows, others = zip(*(each.rows for each in compared), strict=True)
        ratio = bootstrap_ratio(ratios, [1.0] * rounds)
        yield Cost(
            network,
            recipe,
            threads,
            with_p50_ms=float(np.median([row.latency_p50_ms for row in rows])),
            without_p50_ms=float(np.median([row.latency_p50_ms for row in others])),
            ratio=ratio.value,
            interval=(ratio.low, ratio.high),
            rounds=ratios,
        )


def _path(folder: Path, recipe: str, has_lrn: bool) -> Path:
    return folder / f"{recipe}_{'with' if has_lrn else 'without'}.tflite"


def _figure(costs: Sequence[Cost]) -> Figure:
    """Draw each ratio with its rounds, interval and limit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.9 + 0.45 * len(costs)), layout="constrained")
    axes = figure.subplots()
    for index, cost in enumerate(costs):
        axes.plot(cost.rounds, [index] * len(cost.rounds), "o", color="0.75", markersize=4)
        axes.plot(cost.interval, [index, index], color="C0", linewidth=3)
        axes.plot(cost.ratio, index, "o", color="C0")
        axes.plot(LIMITS[cost.recipe, cost.threads], index, "|", color="C3", markersize=14)
    names = [f"{c.network}, {c.recipe}, {c.threads} thread{'s' * (c.threads > 1)}" for c in costs]
    axes.set_yticks(range(len(costs)), names)
    axes.axvline(1, color="0.2", linewidth=0.8)
    axes.set_xlabel(
        "time with LRN, relative to without: rounds, median, 95 % interval; limit in red"
    )
    return figure
