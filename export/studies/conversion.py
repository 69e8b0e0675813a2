"""Test that each network of the zoo converts to one XNNPACK partition that equals Keras."""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_keras.command import log
from cnn_keras.data import photographs
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.training.evaluate import Probabilities
from cnn_keras.zoo import build, network

from ..conversion.convert import convert
from ..conversion.quantize import quantize
from ..conversion.untrained import normalize_by
from ..tflite.interpreter import Interpreter
from ..verification.audit import audit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_RELATIVE_ERROR = 1e-4
CROPS = 16  # of two photographs
RECIPES = ("float32", "static_wi8_ai8")


def conversion(networks: Sequence[str], out: Path) -> dict[str, Any]:
    """Convert networks at the size of their papers, and record their partitions and differences.

    Weights are random, since operations and types do not depend on them, but conditioned by
    `conversion.untrained.normalize_by`. The networks are compared on other crops than those.

    Args:
        networks: Rows of the zoo.
        out: Folder of the record and its figure.

    Returns:
        The record.
    """
    rows: list[dict[str, Any]] = []
    failed: list[training_runs.FailedRun] = []
    for name in networks:
        log(name)
        with training_runs.continue_on_error(name, failed):
            rows += convert_network(name)
        gc.collect()
    training_runs.require_any(rows, failed)
    return write_record(
        out / "conversion.json",
        "study",
        "conversion",
        claims(rows),
        seeds=[0],
        budget={"crops": CROPS},
        details={"files": rows},
        figure=_figure(rows),
        failed=failed,
    )


def convert_network(name: str) -> list[dict[str, Any]]:
    """Build a network at its paper's size, convert it, and compare it with Keras.

    Args:
        name: Row of the zoo.

    Returns:
        One row for each recipe: size, operations, partitions and delegated nodes; for the float32
        file also the seconds of the conversion and the relative error.
    """
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    shape = network(name).input_shape
    images = photographs.tensors(shape, CROPS, half=1)
    model = build(name)
    normalize_by(model, photographs.tensors(shape, CROPS, half=0))
    began = time.perf_counter()
    float32 = convert(model)
    seconds = time.perf_counter() - began
    expected = np.asarray(model(images, training=False))
    rows = []
    for recipe in RECIPES:
        content = quantize(float32, recipe, images[:2])
        file = audit(content)
        row: dict[str, Any] = {
            "network": name,
            "recipe": recipe,
            "size_bytes": file.size_bytes,
            "nodes": file.nodes,
            "delegated_nodes": file.delegated_nodes,
            "partitions": file.partitions,
            "flex_ops": len(file.flex_ops),
        }
        if recipe == "float32":
            probabilities = Interpreter(content, num_threads=2)(images)
            row |= {
                "convert_seconds": round(seconds, 2),
                "max_probability": float(expected.max()),
                "max_relative_error": relative_error(probabilities, expected),
            }
        rows.append(row)
    return rows


def relative_error(probabilities: Probabilities, expected: Probabilities) -> float:
    """Return the largest difference of a probability, relative to the largest probability."""
    return float(np.abs(probabilities - expected).max() / expected.max())


def claims(rows: Sequence[dict[str, Any]]) -> list[Claim]:
    """Return the claims about all files; see `convert_network` for the rows."""
    partitions = [row["partitions"] for row in rows]
    undelegated = [row["nodes"] - (row["delegated_nodes"] or 0) for row in rows]
    flex_ops = [row["flex_ops"] for row in rows]
    floats = [row for row in rows if row["recipe"] == "float32"]
    errors = [row["max_relative_error"] for row in floats]
    networks = len(errors)
    return [
        Claim(
            f"all {len(rows)} files of {networks} networks are one XNNPACK partition",
            set(partitions) == {1},
            max(count or 0 for count in partitions),
        ),
        Claim("every node of every file is delegated", max(undelegated) == 0, max(undelegated)),
        Claim("no file needs a Flex operation", max(flex_ops) == 0, max(flex_ops)),
        Claim(
            f"every float32 file equals Keras on photographs within {MAX_RELATIVE_ERROR:g} of the "
            "largest probability",
            max(errors) <= MAX_RELATIVE_ERROR,
            max(errors),
            (min(errors), max(errors)),
        ),
    ]


def _figure(rows: Sequence[dict[str, Any]]) -> Figure:
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    for index, recipe in enumerate(RECIPES):
        sizes = [row["size_bytes"] / 1e6 for row in rows if row["recipe"] == recipe]
        axes.bar(
            [position + 0.4 * index for position in range(len(sizes))], sizes, 0.4, label=recipe
        )
    axes.set_yscale("log")
    axes.set_ylabel("file, MB")
    axes.set_xticks([position + 0.2 for position in range(len(networks))], networks, rotation=45)
    axes.legend(fontsize="small")
    return figure
