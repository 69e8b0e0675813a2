"""Time networks in LiteRT, ONNX Runtime, OpenVINO and TensorFlow with XLA.

All engines get the same network and the same image, a photograph; ONNX Runtime and OpenVINO get the
.tflite file converted to ONNX. An engine is timed only if its scores equal those of Keras. The
engines take turns, round by round, each in its own process that sleeps between its turns. A process
creates its threads only once, and other load on the machine affects all engines alike, so that the
ratios are more precise than the milliseconds.

An inference is timed with the image in memory, until the scores are read. Engines run with their
default settings except for the number of threads; OpenVINO also gets float32, since it uses
bfloat16 by default if the CPU supports it. The weights are random, which does not change latencies.

OpenBLAS multiplies two large float32 matrices in the same rounds. Its fastest call in a round is
the *sgemm peak*, a rate that a program is known to reach on this machine at that time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras import zoo
from cnn_keras.command import log, progress
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error, first_line
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host, versions

from ..benchmark.comparison.latency_ratio import bootstrap_ratio
from ..benchmark.engine_process import EngineProcess, Scores
from .engines import (
    ENGINES,
    IMAGE_FILE,
    LITERT,
    MATRIX_SIZE,
    PACKAGES,
    PEERS,
    load_sgemm,
)

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

Key = tuple[int, str]  # threads, engine

PHOTOGRAPH = "china.jpg"  # of scikit-learn
MAX_ERROR = 1e-4  # relative to the largest score: the engines add in different orders
SGEMM = "sgemm"


class Row(NamedTuple):
    """Latency of a network in an engine.

    Attributes:
        network: Row of the zoo.
        threads: Number of threads.
        engine: Row of `ENGINES`.
        latency_p50_ms: Median over the rounds of each round's median.
        ratio: Median over the rounds of the latency relative to LiteRT.
        interval: 95 % bootstrap interval of the ratio.
        peak_fraction: Rate of the network's multiply-adds, as a share of the sgemm peak.
        max_error: Largest difference between the scores and those of Keras, relative to the largest
            score.
        rounds_ms: Median of each round.
    """

    network: str
    threads: int
    engine: str
    latency_p50_ms: float
    ratio: float
    interval: tuple[float, float]
    peak_fraction: float
    max_error: float
    rounds_ms: list[float]


class Refusal(NamedTuple):
    """An engine that does not run a network, with the reason."""

    network: str
    threads: int
    engine: str
    reason: str


class Peak(NamedTuple):
    """The sgemm peak during the rounds of a network, median over the rounds."""

    network: str
    threads: int
    gflops: float


class Measurements(NamedTuple):
    """The measurements of one network or of several."""

    rows: list[Row]
    refusals: list[Refusal]
    peaks: list[Peak]


def peers(
    networks: Sequence[str],
    out: Path,
    *,
    engines: Sequence[str] = PEERS,
    threads: Sequence[int] = (1, 2),
    secs: float = 1.0,
    rounds: int = 10,
) -> dict[str, Any]:
    """Time networks alternately in LiteRT and in other engines, and record the ratios.

    Args:
        networks: Rows of the zoo.
        out: Folder of the record and its figure.
        engines: Rows of `ENGINES` to compare with LiteRT.
        threads: Numbers of threads.
        secs: Seconds of timed inferences of each engine in a round.
        rounds: Number of rounds; each engine has one turn in each.

    Returns:
        The record.

    Raises:
        Error: An engine gives other scores than Keras, or LiteRT does not run a network.
    """
    all_engines = [LITERT, *(name for name in engines if name != LITERT)]
    parts = []
    failed: list[training_runs.FailedRun] = []
    for network in networks:
        with training_runs.continue_on_error(network, failed):
            parts.append(_measure(network, all_engines, threads, secs, rounds))
    training_runs.require_any(parts, failed)
    measured = Measurements(*(list(chain(*lists)) for lists in zip(*parts, strict=True)))
    installed = {package: version(package) for package in PACKAGES if find_spec(package)}
    return write_record(
        out / "peers.json",
        "benchmark",
        "LiteRT and its peers",
        claims(measured.rows),
        seeds=[0],
        budget={"rounds": rounds, "secs": secs},
        details={
            "versions": versions() | installed,
            "host": host()._asdict(),
            "weights": "random",
            "image": PHOTOGRAPH,
            "rows": [row._asdict() for row in measured.rows],
            "refusals": [refusal._asdict() for refusal in measured.refusals],
            "sgemm_peaks": [peak._asdict() for peak in measured.peaks],
        },
        figure=_figure(measured),
        failed=failed,
    )


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Return a claim for each network and number of threads: no peer is faster than LiteRT.

    A peer is faster if its whole interval lies below one. The claim shows the peer with the
    smallest ratio, among those that are faster if there are any.
    """
    result = []
    for network, threads in dict.fromkeys(row[:2] for row in rows):
        others = [row for row in rows if row[:2] == (network, threads) and row.engine != LITERT]
        faster = [row for row in others if row.interval[1] < 1.0]
        if others:
            best = min(faster or others, key=lambda row: row.ratio)
            result.append(
                Claim(
                    f"{network} at {_threads(threads)}: no peer is faster than LiteRT beyond its "
                    f"interval (smallest ratio of the p50: {ENGINES[best.engine].label})",
                    not faster,
                    best.ratio,
                    best.interval,
                )
            )
    return result


def _threads(count: int) -> str:
    return f"{count} thread{'s' * (count > 1)}"


def _measure(
    network: str, engines: Sequence[str], threads: Sequence[int], secs: float, rounds: int
) -> Measurements:
    """Convert a network, check every engine's scores, and time them alternately."""
    log(f"{network}: converting")
    processes: dict[Key, EngineProcess] = {}
    refusals = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        expected, reasons = _write(network, engines, folder)
        for count, engine in product(threads, engines):
            try:
                if engine in reasons:
                    raise Error(reasons[engine])
                process = stack.enter_context(EngineProcess(ENGINES[engine].load, folder, count))
            except Error as error:
                if engine == LITERT:
                    raise Error(f"LiteRT does not run {network}: {error}") from error
                log(f"{engine} does not run {network} at {_threads(count)}: {error}")
                refusals.append(Refusal(network, count, engine, str(error)))
            else:
                processes[count, engine] = process
        errors = {
            key: check_scores(key, process.scores, expected) for key, process in processes.items()
        }
        for count in threads:
            processes[count, SGEMM] = stack.enter_context(EngineProcess(load_sgemm, folder, count))
        samples = _take_turns(network, processes, secs, rounds)
    return Measurements(_rows(network, samples, errors), refusals, _peaks(network, samples))


def _write(network: str, engines: Sequence[str], folder: Path) -> tuple[Scores, dict[str, str]]:
    """Write a network for the engines; return the scores of Keras, and the reasons of failures."""
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.build(network)
    image = photograph(model.input_shape[1:])
    _scale_logits(model, image)
    np.save(folder / IMAGE_FILE, image)
    reasons = {}
    for engine in engines:
        try:
            ENGINES[engine].write(model, folder)
        except Exception as error:  # converters raise every kind
            reasons[engine] = first_line(error)
    return np.asarray(model(image, training=False)), reasons


def photograph(shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Return scikit-learn's photograph of a temple as a batch of one, pixels from -1 to 1.

    Args:
        shape: Height, width and channels.
    """
    from PIL import Image
    from sklearn.datasets import load_sample_image

    center = (127.5,) * shape[-1]
    preprocessing = Preprocessing(*shape, mean=center, std=center)
    pixels = preprocessing.pixels(Image.fromarray(load_sample_image(PHOTOGRAPH)))
    return preprocessing(pixels)[np.newaxis]


def _scale_logits(model: keras.Model, image: NDArray[np.float32]) -> None:
    """Scale a network's last layer so that its logits have a standard deviation of one.

    A random network often gives one class a probability of 1, in which errors do not show.
    """
    import keras

    layer = model.get_layer("logits")
    spread = np.std(keras.Model(model.input, layer.output)(image, training=False))
    layer.set_weights([weight / spread for weight in layer.get_weights()])


def check_scores(key: Key, scores: Scores, expected: Scores) -> float:
    """Return the largest difference between scores, relative to the largest score.

    Args:
        key: Threads and engine, for the message.
        scores: Scores of the engine, `(1, num_classes)`.
        expected: Scores of Keras.

    Raises:
        Error: The difference is above `MAX_ERROR`, or not a number.
    """
    error = float(np.abs(scores - expected).max() / np.abs(expected).max())
    if not error <= MAX_ERROR:
        raise Error(
            f"{key[1]} gives other scores than Keras at {_threads(key[0])}: they differ by "
            f"{error:.1e} of the largest score, and {MAX_ERROR:.0e} is allowed."
        )
    return error


def _take_turns(
    network: str, processes: Mapping[Key, EngineProcess], secs: float, rounds: int
) -> dict[Key, list[NDArray[np.float64]]]:
    """Return the samples of each process (ms) by round; every other round is in reverse order."""
    samples: dict[Key, list[NDArray[np.float64]]] = {key: [] for key in processes}
    with progress(network, rounds * len(processes)) as advance:
        for index in range(rounds):
            for key in list(processes)[:: -1 if index % 2 else 1]:
                samples[key].append(processes[key].run(secs))
                advance()
    return samples


def _rows(
    network: str,
    samples: Mapping[Key, Sequence[NDArray[np.float64]]],
    errors: Mapping[Key, float],
) -> list[Row]:
    """Return one row for each engine and number of threads."""
    macs = zoo.network(network).macs
    rows = []
    for (threads, engine), error in errors.items():
        medians = [float(np.median(block)) for block in samples[threads, engine]]
        litert = [float(np.median(block)) for block in samples[threads, LITERT]]
        ratio = bootstrap_ratio(medians, litert)
        achieved = 2 * macs / np.array(medians) / _gflops(samples[threads, SGEMM]) / 1e6
        rows.append(
            Row(
                network,
                threads,
                engine,
                latency_p50_ms=float(np.median(medians)),
                ratio=ratio.value,
                interval=(ratio.low, ratio.high),
                peak_fraction=float(np.median(achieved)),
                max_error=error,
                rounds_ms=medians,
            )
        )
        log(f"{network}, {engine}, {_threads(threads)}: {rows[-1].latency_p50_ms:.2f} ms")
    return rows


def _peaks(network: str, samples: Mapping[Key, Sequence[NDArray[np.float64]]]) -> list[Peak]:
    return [
        Peak(network, threads, float(np.median(_gflops(blocks))))
        for (threads, engine), blocks in samples.items()
        if engine == SGEMM
    ]


def _gflops(blocks: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return the sgemm peak of each round, from its samples in ms."""
    return np.array([2 * MATRIX_SIZE**3 / block.min() / 1e6 for block in blocks])


def _figure(measured: Measurements) -> Figure:
    """Draw the ratios: a panel for each number of threads, a group of bars for each network."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    panels = list(dict.fromkeys(row.threads for row in measured.rows))
    figure = Figure(figsize=(9, 3.2 * len(panels)), layout="constrained")
    for axes, threads in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True
    ):
        rows = [row for row in measured.rows if row.threads == threads]
        networks = {row.network: row for row in rows if row.engine == LITERT}
        engines = list(dict.fromkeys(row.engine for row in rows if row.engine != LITERT))
        width = 0.8 / max(1, len(engines))
        for index, engine in enumerate(engines):
            own = [row for row in rows if row.engine == engine]
            positions = [list(networks).index(row.network) + index * width for row in own]
            heights = [row.ratio - 1 for row in own]
            errors = np.abs([np.subtract(row.interval, row.ratio) for row in own]).T
            label = ENGINES[engine].label
            axes.bar(positions, heights, width, bottom=1, yerr=errors, capsize=3, label=label)
        axes.axhline(1, color="0.2", linewidth=0.8)
        axes.set_yscale("log")
        for axis_format in (axes.yaxis.set_major_formatter, axes.yaxis.set_minor_formatter):
            axis_format(ScalarFormatter())
        labels = [f"{name}\n{row.latency_p50_ms:.1f} ms" for name, row in networks.items()]
        axes.set_xticks(np.arange(len(networks)) + 0.4 - width / 2, labels)
        axes.set_ylabel(f"time relative to LiteRT,\n{_threads(threads)}")
        if engines:
            axes.legend(fontsize="small")
    return figure
