"""How long do networks take in LiteRT, ONNX Runtime, OpenVINO and TensorFlow with XLA?

Every engine gets the same network, ONNX Runtime and OpenVINO as the ONNX form of LiteRT's file, and
the same image, a photograph; it must give Keras' own probabilities before it is timed. The engines
take turns, round by round, each in its own process that sleeps while it is not asked: a process
makes its threads only once, and what else the machine does happens to all engines alike, so that
ratios are more certain than milliseconds.

What is timed is one inference with the image in memory, until its scores are read. An engine runs
as a user gets it, with the number of threads set; OpenVINO is also held at float32, which it leaves
for bfloat16 where the processor has it. Weights are random, which changes no latency.

Beside them OpenBLAS multiplies two large float32 matrices. Its fastest call in a round is the
*sgemm peak*: what a program is known to get from this machine at that time.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from itertools import chain, product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras import zoo
from cnn_keras.command import log, progress, quiet, start_keras
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error, first_line, unknown
from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host, versions

from ..benchmark.engine_process import EngineProcess, Inference, Load, Scores
from ..benchmark.intervals import bootstrap_ratio

if TYPE_CHECKING:
    import keras
    from matplotlib.figure import Figure

Key = tuple[int, str]  # threads, engine

PEERS = ("onnxruntime", "openvino", "xla")
PACKAGES = ("onnxruntime", "openvino", "onnx", "tf2onnx")  # whose versions matter
PHOTOGRAPH = "china.jpg"  # of scikit-learn
MAX_ERROR = 1e-4  # of the largest score: the engines add in different orders
MATRIX_SIZE = 512  # its fastest calls are as fast as larger ones', and less often disturbed
SGEMM = "sgemm"


class Engine(NamedTuple):
    """A way to run a network.

    Attributes:
        label: Its name for people.
        packages: What must be installed.
        write: Writes a model to a folder in the form that the engine takes.
        load: Loads it from there.
    """

    label: str
    packages: tuple[str, ...]
    write: Callable[[keras.Model, Path], None]
    load: Load


class Row(NamedTuple):
    """How long a network takes in an engine.

    Attributes:
        network: Row of the zoo.
        threads: Threads that the engine might use.
        engine: Row of `ENGINES`.
        latency_p50_ms: Median over the rounds of each round's median.
        ratio: Median over the rounds of the latency relative to LiteRT's.
        interval: Its 95 % bootstrap interval.
        peak_fraction: The network's multiply-adds in that time, as a share of the sgemm peak.
        max_error: Greatest difference of a score from Keras', relative to the largest.
        rounds_ms: The median of each round.
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
    """Why an engine does not run a network."""

    network: str
    threads: int
    engine: str
    reason: str


class Peak(NamedTuple):
    """The sgemm peak while a network was timed, median of the rounds."""

    network: str
    threads: int
    gflops: float


class Found(NamedTuple):
    """What was found."""

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
    """Time networks in LiteRT and in other engines, in turns, and record the ratios.

    Args:
        networks: Rows of the zoo.
        out: Folder of the record.
        engines: Rows of `ENGINES` beside LiteRT.
        threads: Numbers of threads.
        secs: Seconds of timed inferences in each round, at least `MIN_RUNS` of them.
        rounds: Every engine has one turn in each.

    Returns:
        The record.

    Raises:
        Error: An engine gives other scores than Keras, or LiteRT does not run a network.
    """
    everyone = [LITERT, *(name for name in engines if name != LITERT)]
    parts = []
    failed: list[training_runs.Failed] = []
    for network in networks:
        with training_runs.going_on(network, failed):
            parts.append(_measure(network, everyone, threads, secs, rounds))
    training_runs.require_any(parts, failed)
    found = Found(*(list(chain(*lists)) for lists in zip(*parts, strict=True)))
    installed = {package: version(package) for package in PACKAGES if find_spec(package)}
    return write_record(
        out / "peers.json",
        "benchmark",
        "LiteRT and its peers",
        claims(found.rows),
        seeds=[0],
        budget={"rounds": rounds, "secs": secs},
        details={
            "versions": versions() | installed,
            "host": host()._asdict(),
            "weights": "random",
            "image": PHOTOGRAPH,
            "rows": [row._asdict() for row in found.rows],
            "refusals": [refusal._asdict() for refusal in found.refusals],
            "sgemm_peaks": [peak._asdict() for peak in found.peaks],
        },
        figure=_figure(found),
        failed=failed,
    )


def require(engines: Sequence[str]) -> None:
    """Check that engines exist and are installed.

    Raises:
        UsageError: There is no such engine.
        Error: A package is missing.
    """
    for name in engines:
        if name not in ENGINES:
            raise unknown("engine", name, ENGINES)
        for package in ENGINES[name].packages:
            if find_spec(package) is None:
                raise Error(f'This needs {package}: pip install ".[peers]"')


def claims(rows: Sequence[Row]) -> list[Claim]:
    """Say for each network and number of threads whether a peer is faster than LiteRT.

    Faster is a peer whose whole interval lies below one; of several, the claim shows the one with
    the least ratio.
    """
    result = []
    for network, threads in dict.fromkeys(row[:2] for row in rows):
        beside = [row for row in rows if row[:2] == (network, threads) and row.engine != LITERT]
        faster = [row for row in beside if row.interval[1] < 1.0]
        if beside:
            best = min(faster or beside, key=lambda row: row.ratio)
            result.append(
                Claim(
                    f"{network} at {_threads(threads)}: no peer is faster than LiteRT beyond its "
                    f"interval (least ratio of a peer's p50: {ENGINES[best.engine].label}'s)",
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
) -> Found:
    """Convert a network, check every engine's scores, and time them in turns."""
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
        errors = {key: check(key, process.scores, expected) for key, process in processes.items()}
        for count in threads:
            processes[count, SGEMM] = stack.enter_context(EngineProcess(_sgemm, folder, count))
        samples = _take_turns(network, processes, secs, rounds)
    return Found(_rows(network, samples, errors), refusals, _peaks(network, samples))


def _write(network: str, engines: Sequence[str], folder: Path) -> tuple[Scores, dict[str, str]]:
    """Write a network for the engines; return Keras' scores, and why what could not be written."""
    import keras

    keras.utils.set_random_seed(0)
    model = zoo.build(network)
    image = photograph(model.input_shape[1:])
    _temper(model, image)
    np.save(folder / "image.npy", image)
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

    middle = (127.5,) * shape[-1]
    preprocessing = Preprocessing(*shape, mean=middle, std=middle)
    pixels = preprocessing.pixels(Image.fromarray(load_sample_image(PHOTOGRAPH)))
    return preprocessing(pixels)[np.newaxis]


def _temper(model: keras.Model, image: NDArray[np.float32]) -> None:
    """Scale a network's last layer so that its logits spread by one.

    A random network is often certain of one class, and equal certainties would prove nothing.
    """
    import keras

    layer = model.get_layer("logits")
    spread = np.std(keras.Model(model.input, layer.output)(image, training=False))
    layer.set_weights([weight / spread for weight in layer.get_weights()])


def check(key: Key, scores: Scores, expected: Scores) -> float:
    """Return the greatest difference between scores, relative to the largest.

    Args:
        key: Threads and engine, for the message.
        scores: The engine's `(1, num_classes)`.
        expected: Keras'.

    Raises:
        Error: It is greater than `MAX_ERROR`, or not a number.
    """
    error = float(np.abs(scores - expected).max() / np.abs(expected).max())
    if not error <= MAX_ERROR:
        raise Error(
            f"{key[1]} gives other scores than Keras at {_threads(key[0])}: they differ by "
            f"{error:.1e} of the largest, of which {MAX_ERROR:.0e} is allowed."
        )
    return error


def _take_turns(
    network: str, processes: Mapping[Key, EngineProcess], secs: float, rounds: int
) -> dict[Key, list[NDArray[np.float64]]]:
    """Return each process' samples (ms), round by round; every other round goes backwards."""
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
    """Return the engines' rows."""
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


def _write_tflite(model: keras.Model, folder: Path) -> None:
    from ..conversion.convert import convert

    (folder / "network.tflite").write_bytes(convert(model))


def _litert(folder: Path, threads: int) -> Inference:
    from ..tflite.interpreter import Interpreter

    interpreter = Interpreter(folder / "network.tflite", threads)
    interpreter.set_input(_image(folder))

    def infer() -> Scores:
        interpreter.invoke()
        return interpreter.get_output()

    return infer


def _write_onnx(model: keras.Model, folder: Path) -> None:
    """Convert the file that LiteRT runs: Keras' own export leaves grouped convolutions behind.

    In a process of its own, because the converter takes some forty times a network's size.
    """
    source, target = folder / "network.tflite", folder / "network.onnx"
    if target.exists():  # two engines take it
        return
    done = subprocess.run(
        [sys.executable, "-m", "tf2onnx.convert", "--tflite", source, "--output", target],
        env={**os.environ, "TF2ONNX_CATCH_ERRORS": "FALSE"},  # no copy for each optimization
        capture_output=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] if done.returncode > 0 else []
        raise Error(f"tf2onnx failed with exit code {done.returncode}: {' '.join(said)}")


def _onnxruntime(folder: Path, threads: int) -> Inference:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        folder / "network.onnx", options, providers=["CPUExecutionProvider"]
    )
    feed = {session.get_inputs()[0].name: _image(folder)}
    return lambda: session.run(None, feed)[0]


def _openvino(folder: Path, threads: int) -> Inference:
    import openvino

    options = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": "f32",
    }
    network = openvino.Core().compile_model(folder / "network.onnx", "CPU", options)
    image = _image(folder)
    return lambda: network(image)[0]


def _write_saved_model(model: keras.Model, folder: Path) -> None:
    with quiet(1, 2):
        model.export(folder / "saved_model", format="tf_saved_model", verbose=False)


def _xla(folder: Path, threads: int) -> Inference:
    start_keras()  # for oneDNN
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    network = tf.saved_model.load(folder / "saved_model")
    image = tf.constant(_image(folder))

    @tf.function(jit_compile=True)
    def infer() -> Any:
        return network.serve(image)

    return lambda: infer().numpy()


def _sgemm(folder: Path, threads: int) -> Inference:
    from threadpoolctl import threadpool_limits

    threadpool_limits(threads)
    matrix = np.random.default_rng(0).random((MATRIX_SIZE, MATRIX_SIZE), np.float32)
    result = np.empty_like(matrix)
    return lambda: np.matmul(matrix, matrix, out=result)


def _image(folder: Path) -> NDArray[np.float32]:
    image: NDArray[np.float32] = np.load(folder / "image.npy")
    return image


LITERT = "litert"
ENGINES = {
    LITERT: Engine("LiteRT", (), _write_tflite, _litert),
    "onnxruntime": Engine("ONNX Runtime", ("onnxruntime", "tf2onnx"), _write_onnx, _onnxruntime),
    "openvino": Engine("OpenVINO", ("openvino", "tf2onnx"), _write_onnx, _openvino),
    "xla": Engine("TensorFlow with XLA", (), _write_saved_model, _xla),
}


def _figure(found: Found) -> Figure:
    """Draw the ratios: one panel for a number of threads, one group of bars for a network."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import ScalarFormatter

    panels = list(dict.fromkeys(row.threads for row in found.rows))
    figure = Figure(figsize=(9, 3.2 * len(panels)), layout="constrained")
    for axes, threads in zip(
        figure.subplots(len(panels), squeeze=False)[:, 0], panels, strict=True
    ):
        rows = [row for row in found.rows if row.threads == threads]
        networks = {row.network: row for row in rows if row.engine == LITERT}
        engines = list(dict.fromkeys(row.engine for row in rows if row.engine != LITERT))
        width = 0.8 / max(1, len(engines))
        for index, engine in enumerate(engines):
            own = [row for row in rows if row.engine == engine]
            places = [list(networks).index(row.network) + index * width for row in own]
            heights = [row.ratio - 1 for row in own]
            ends = np.abs([np.subtract(row.interval, row.ratio) for row in own]).T
            axes.bar(
                places, heights, width, bottom=1, yerr=ends, capsize=3, label=ENGINES[engine].label
            )
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
