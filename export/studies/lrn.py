"""What local response normalization costs: networks with it, in turns with the same without.

LiteRT has an operation for it, which XNNPACK does not take; the networks have operations that it
does (`cnn_keras.blocks.LocalResponseNormalization`), and static integer files keep those in float.
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

from ..benchmark.compare import compare_once
from ..benchmark.intervals import bootstrap_ratio
from ..benchmark.runner import LoadOptions, TimingOptions
from ..conversion.convert import convert
from ..conversion.quantize import quantize
from ..verification.audit import audit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The networks that have it, and the option that leaves it out.
WITHOUT: dict[str, dict[str, Any]] = {
    "alexnet": {"lrn": False},
    "googlenet": {"normalization": "none"},
}

# The most that it may cost: time with it, relative to without, by recipe and threads.
LIMITS = {
    ("float32", 1): 1.06,
    ("float32", 2): 1.12,
    ("static_wi8_ai8", 1): 1.25,
    ("static_wi8_ai8", 2): 1.25,
}
CROPS = 8  # of each photograph; ranges decide what integers mean, not how long they take
PAIRS = 4  # blocks of each file that a pair of processes times in turns


class Cost(NamedTuple):
    """What it costs a network.

    Attributes:
        network: Row of the zoo.
        recipe: How the files' numbers are stored.
        threads: Threads that LiteRT might use.
        with_p50_ms: Median over the rounds of the median latency with it.
        without_p50_ms: Without.
        ratio: Median over the rounds of the ratio of the two.
        interval: Its 95 % bootstrap interval.
        rounds: The ratio of each round.
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
    """How XNNPACK takes a file."""

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

    Each round starts a fresh process for either file, because where its memory happens to lie
    makes a process a little faster or slower for as long as it lives.

    Args:
        out: Folder of the record.
        networks: Rows of `WITHOUT`.
        image_size: Side of the image; the paper's by default.
        secs: Seconds of timed inferences of each file in a round.
        rounds: Pairs of processes for each recipe and number of threads.

    Returns:
        The record.
    """
    costs: list[Cost] = []
    files: list[File] = []
    failed: list[training_runs.Failed] = []
    for network in networks:
        with training_runs.going_on(network, failed), tempfile.TemporaryDirectory() as folder:
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
    """Hold the costs against `LIMITS`, and the files against one partition of all nodes."""
    limits = [(cost, LIMITS[cost.recipe, cost.threads]) for cost in costs]
    pieces = [file.partitions for file in files]
    left = [file.nodes - (file.delegated_nodes or 0) for file in files]
    return [
        *(
            Claim(
                f"{cost.network}, {cost.recipe}, {cost.threads} thread{'s' * (cost.threads > 1)}: "
                f"with LRN it takes at most {limit} times as long as without",
                cost.ratio <= limit,
                cost.ratio,
                cost.interval,
            )
            for cost, limit in limits
        ),
        Claim(
            "every file, with LRN and without, is one XNNPACK partition (most partitions)",
            set(pieces) == {1},
            max(piece or 0 for piece in pieces),
        ),
        Claim("every node of every file is delegated (most left)", max(left) == 0, max(left)),
    ]


def _write(network: str, image_size: int | None, folder: Path) -> list[File]:
    """Write a network's files, with and without, by each recipe; return how XNNPACK takes them."""
    import keras

    log(f"{network}: converting")
    channels = zoo.network(network).input_shape[-1]
    shape = (image_size, image_size, channels) if image_size else None
    keras.utils.set_random_seed(0)
    models = {
        True: zoo.build(network, shape),
        False: zoo.build(network, shape, **WITHOUT[network]),
    }
    models[False].set_weights(models[True].get_weights())  # it adds none
    images = crops(models[True].input_shape[1:3])
    files = []
    for has_lrn, model in models.items():
        float32 = convert(model)
        for recipe in dict.fromkeys(recipe for recipe, _ in LIMITS):
            content = quantize(float32, recipe, images)
            _path(folder, recipe, has_lrn).write_bytes(content)
            found = audit(content)
            taken = (found.nodes, found.delegated_nodes, found.partitions)
            files.append(File(network, recipe, has_lrn, *taken))
    return files


def crops(size: tuple[int, int]) -> Float32Images:
    """Return pieces `(2 * CROPS, height, width, 3)` of scikit-learn's photographs, from -1 to 1.

    Args:
        size: Height and width.
    """
    from sklearn.datasets import load_sample_images
    from sklearn.feature_extraction.image import extract_patches_2d

    pieces = [
        extract_patches_2d(picture, size, max_patches=CROPS, random_state=0)
        for picture in load_sample_images().images
    ]
    return np.concatenate(pieces).astype(np.float32) / 127.5 - 1


def _costs(network: str, folder: Path, secs: float, rounds: int) -> Iterator[Cost]:
    """Time the files that `_write` wrote."""
    block = TimingOptions(num_runs=3, min_secs=secs / PAIRS)
    for recipe, threads in LIMITS:
        log(f"{network}, {recipe}, {threads} thread{'s' * (threads > 1)}")
        with_it, without = (
            LoadOptions(str(_path(folder, recipe, has_lrn)), threads) for has_lrn in (True, False)
        )
        found = []
        with progress(network, rounds) as advance:
            for _ in range(rounds):
                found.append(compare_once(with_it, without, block, PAIRS))
                advance()
        ratios, rows, others = zip(*found, strict=True)
        ratio = bootstrap_ratio(ratios, [1.0] * rounds)
        yield Cost(
            network,
            recipe,
            threads,
            with_p50_ms=float(np.median([row.latency_p50_ms for row in rows])),
            without_p50_ms=float(np.median([row.latency_p50_ms for row in others])),
            ratio=ratio.value,
            interval=(ratio.low, ratio.high),
            rounds=list(ratios),
        )


def _path(folder: Path, recipe: str, has_lrn: bool) -> Path:
    return folder / f"{recipe}_{'with' if has_lrn else 'without'}.tflite"


def _figure(costs: Sequence[Cost]) -> Figure:
    """Draw each ratio with its rounds and its limit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 0.9 + 0.45 * len(costs)), layout="constrained")
    axes = figure.subplots()
    for place, cost in enumerate(costs):
        axes.plot(cost.rounds, [place] * len(cost.rounds), "o", color="0.75", markersize=4)
        axes.plot(cost.interval, [place, place], color="C0", linewidth=3)
        axes.plot(cost.ratio, place, "o", color="C0")
        axes.plot(LIMITS[cost.recipe, cost.threads], place, "|", color="C3", markersize=14)
    names = [f"{c.network}, {c.recipe}, {c.threads} thread{'s' * (c.threads > 1)}" for c in costs]
    axes.set_yticks(range(len(costs)), names)
    axes.axvline(1, color="0.2", linewidth=0.8)
    axes.set_xlabel(
        "time with LRN, relative to without: rounds, median, 95 % interval; limit in red"
    )
    return figure
