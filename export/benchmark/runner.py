"""The program that measures one `.tflite` file.

`python -m export.benchmark.runner` reads JSON lines on stdin and answers each with one JSON line
on stdout: first `LoadOptions` (answered with the `Loaded` model when it is warm), then any number
of requests, and the end of the input with the `Row` of all blocks. A request is the index of an
image (answered with the model's output for it, in base64), `TimingOptions` (answered with the
median latency of a block of inferences), `SustainOptions` (answered with a window of inferences
each second, and null), or `STABILITY` (answered with how stable the blocks so far are). It imports
only the standard library, numpy and LiteRT, so that the memory it reports is the model's, and so
that it runs on a board without other packages.

Definitions follow those of LiteRT's `benchmark_model` where there are any:

- *latency* is the inference alone (`invoke`), with the image in place; copying in and out is timed
  separately. Inferences follow each other without a pause, which would let the worker threads fall
  asleep.
- *warm-up* lasts `warmup_secs`, and until the latency is stable (`stability.is_stable`), but at
  most `MAX_WARMUP` times as long; the timed runs end when both `min_secs` and `num_runs` are
  reached, or `max_secs`.
- percentiles and the standard deviation are defined in `latency`.
- the clock is `time.perf_counter_ns`; the cost of reading it is measured and subtracted.
"""

from __future__ import annotations

import base64
import gc
import hashlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..tflite.interpreter import Interpreter, ModelFileError, TensorSpec
from ..worker import limit_memory, memory_mb, serve
from .latency import latency_statistics
from .stability import ProcessorLoad, describe, is_stable, sensors, throttling

STABILITY = "stability"
"""The request for how stable the blocks so far are."""

MAX_WARMUP = 10  # times `warmup_secs`

_RANDOM_IMAGES = 32  # several, so that no run repeats the previous one
_WINDOW_SECS = 1.0
_WARMUP_WINDOWS = 5  # in `warmup_secs`
# Untimed, at the start of a block, as far as they take no longer: they warm caches and wake worker
# threads, which does not affect the median of runs of more than some milliseconds.
_LEAD_IN_RUNS, _LEAD_IN_MS = 3, 5.0
_NS_PER_MS = 1e6


class LoadOptions(NamedTuple):
    """What to load, and how long to warm it up.

    Attributes:
        file: Path of the `.tflite` file.
        num_threads: Threads that LiteRT may use.
        warmup_secs: Least seconds of untimed runs (`benchmark_model`'s default is 0.5).
        inputs: Path of an `.npy` with preprocessed images `(n, height, width, channels)`, or
            `None` for seeded uniform noise in [-1, 1).
    """

    file: str
    num_threads: int = 1
    warmup_secs: float = 0.5
    inputs: str | None = None


class TimingOptions(NamedTuple):
    """How long to time a block of inferences; the defaults are those of `benchmark_model`.

    Attributes:
        num_runs: Minimum number of runs.
        min_secs: Minimum seconds.
        max_secs: Seconds after which the block ends even if `num_runs` is not reached.
    """

    num_runs: int = 50
    min_secs: float = 1.0
    max_secs: float = 150.0


class SustainOptions(NamedTuple):
    """How long to run without a pause, after the timed blocks.

    Attributes:
        sustained_secs: Seconds.
    """

    sustained_secs: float


class Loaded(NamedTuple):
    """What is known of a model as soon as it is loaded.

    Attributes:
        input: Its input.
        output: Its output.
        dtype: Type of most of its weights.
        activation_dtype: Type of most of its activations.
        delegated_nodes: Operations that run in XNNPACK.
        num_images: Number of images to run it on.
    """

    input: TensorSpec
    output: TensorSpec
    dtype: str
    activation_dtype: str
    delegated_nodes: int
    num_images: int


class Row(NamedTuple):
    """One file, measured with one number of threads.

    Attributes:
        file: Its path.
        size_bytes: Its size.
        sha256: Its hash.
        dtype: Type of most of its weights.
        activation_dtype: Type of most of its activations.
        num_threads: Threads that LiteRT was allowed to use.
        inputs: `"validation"` for real preprocessed images, `"random"` for noise.
        load_ms: Creating the interpreter and allocating its tensors, XNNPACK's packing of the
            weights included; the file is usually in the page cache.
        first_ms: The first inference.
        latency_p50_ms: Median of the timed inferences; likewise the other percentiles.
        num_runs: Number of timed inferences.
        quantize_p50_ms: Converting one image to the input's integers; `None` for float inputs.
        copy_in_p50_ms: Copying one image into the model.
        copy_out_p50_ms: Copying the output out.
        rss_before_load_mb: Resident memory (MiB) of Python, numpy and the runtime.
        peak_rss_mb: Peak resident memory (MiB) up to the end of the first inference:
            `rss_before_load_mb`, the pages of the mapped file that were read, packed weights,
            activations and one image.
        nodes: Operations in the graph.
        delegated_nodes: Operations that run in XNNPACK.
        partitions: Subgraphs that XNNPACK runs.
        timer_overhead_ns: Cost of reading the clock, subtracted from every sample.
        threads_used: Threads that LiteRT has started by the end of the first inference, and the one
            that calls it; `num_threads` where the system does not tell.
    """

    file: str
    size_bytes: int
    sha256: str
    dtype: str
    activation_dtype: str
    num_threads: int
    inputs: str
    load_ms: float
    first_ms: float
    latency_p50_ms: float
    latency_p90_ms: float
    latency_p95_ms: float
    latency_p99_ms: float
    latency_min_ms: float
    latency_mean_ms: float
    latency_std_ms: float
    num_runs: int
    quantize_p50_ms: float | None
    copy_in_p50_ms: float
    copy_out_p50_ms: float
    rss_before_load_mb: float
    peak_rss_mb: float
    nodes: int
    delegated_nodes: int
    partitions: int
    timer_overhead_ns: float
    threads_used: int


class Measurement:
    """A loaded, warm model that is timed in blocks.

    Args:
        load: What to load.

    Raises:
        ModelFileError: The file is not a runnable classifier, or the images do not fit it.

    Example:
        measurement = Measurement(LoadOptions("lenet5.tflite"))
        measurement.run(TimingOptions(min_secs=0.2))  # 0.0214
        measurement.row().peak_rss_mb  # 36.1
    """

    def __init__(self, load: LoadOptions) -> None:
        self._load = load
        self._rss_before_load_mb, _ = memory_mb()
        threads_before_load = _threads()
        start = time.perf_counter_ns()
        self._interpreter = Interpreter(load.file, load.num_threads)
        self._load_ms = (time.perf_counter_ns() - start) / _NS_PER_MS

        images = _images(load, self._interpreter)
        self._interpreter.set_input(self._interpreter.quantize(images[:1]))
        start = time.perf_counter_ns()
        self._interpreter.invoke()
        self._first_ms = (time.perf_counter_ns() - start) / _NS_PER_MS
        _, self._peak_rss_mb = memory_mb()  # before the other images come into memory
        threads = _threads()
        self._threads_used = 1 + threads - threads_before_load if threads else load.num_threads

        self._quantize_p50_ms = self._time_quantize(images)
        quantized = self._interpreter.quantize(images)
        self._inputs = [quantized[index : index + 1] for index in range(len(quantized))]
        self._timer_overhead_ns = _timer_overhead_ns()
        self._samples: list[NDArray[np.int64]] = []  # (3, runs) of copy in, invoke, copy out
        self._processor_load = ProcessorLoad()
        self._lead_in_runs = 0
        self._warmup = self._warm_up(load.warmup_secs)

    def loaded(self) -> Loaded:
        """Return what is known of the model before it is timed."""
        interpreter = self._interpreter
        dtypes, delegation = interpreter.dtypes(), interpreter.delegation()
        return Loaded(
            interpreter.input,
            interpreter.output,
            dtypes.weights,
            dtypes.activations,
            delegation.delegated_nodes,
            len(self._inputs),
        )

    def output(self, index: int) -> NDArray[Any]:
        """Return the raw output `(1, classes)` for an image."""
        self._interpreter.set_input(self._inputs[index])
        self._interpreter.invoke()
        return self._interpreter.get_output()

    def run(self, timing: TimingOptions) -> float:
        """Time one block of inferences and return its median latency in ms."""
        if self._lead_in_runs:
            self._time(TimingOptions(num_runs=self._lead_in_runs, min_secs=0.0))
        self._processor_load.start()
        samples = self._time(timing)
        self._processor_load.stop()
        self._samples.append(samples)
        return float(np.median(self._ms(samples[1])))

    def sustain(self, options: SustainOptions) -> Iterator[dict[str, Any]]:
        """Run without a pause, and yield a window of inferences each second.

        A window has the second ``at_s`` at which it ends, the median latency ``p50_ms``, the time
        of the window over its runs ``mean_ms``, and what `stability.sensors` reads.
        """
        start = end = time.perf_counter()
        while end - start < options.sustained_secs:
            begin, window = end, TimingOptions(num_runs=1, min_secs=_WINDOW_SECS)
            latency = self._ms(self._time(window)[1])
            end = time.perf_counter()
            yield {
                "at_s": end - start,
                "p50_ms": float(np.median(latency)),
                "mean_ms": 1000 * (end - begin) / len(latency),
                **sensors(),
            }

    def stability(self) -> dict[str, Any]:
        """Return how stable the blocks are; see `stability`."""
        latency = self._ms(np.concatenate([samples[1] for samples in self._samples]))
        found = describe(latency, self._processor_load)
        return {"stability": found, "throttling": throttling(latency), "warmup": self._warmup}

    def row(self) -> Row:
        """Return the measurement of all blocks together."""
        load, delegation = self._load, self._interpreter.delegation()
        dtypes = self._interpreter.dtypes()
        copy_in, latency, copy_out = self._ms(np.concatenate(self._samples, axis=1))
        return Row(
            file=load.file,
            size_bytes=Path(load.file).stat().st_size,
            sha256=_sha256(load.file),
            dtype=dtypes.weights,
            activation_dtype=dtypes.activations,
            num_threads=load.num_threads,
            inputs="validation" if load.inputs else "random",
            load_ms=self._load_ms,
            first_ms=self._first_ms,
            **latency_statistics(latency),
            num_runs=len(latency),
            quantize_p50_ms=self._quantize_p50_ms,
            copy_in_p50_ms=float(np.median(copy_in)),
            copy_out_p50_ms=float(np.median(copy_out)),
            rss_before_load_mb=self._rss_before_load_mb,
            peak_rss_mb=self._peak_rss_mb,
            nodes=delegation.nodes,
            delegated_nodes=delegation.delegated_nodes,
            partitions=delegation.partitions,
            timer_overhead_ns=self._timer_overhead_ns,
            threads_used=self._threads_used,
        )

    def _warm_up(self, secs: float) -> dict[str, Any]:
        """Run until the latency is stable; return how long it took, and whether it is."""
        window = TimingOptions(num_runs=1, min_secs=secs / _WARMUP_WINDOWS, max_secs=secs)
        start, medians = time.perf_counter(), []
        while True:
            medians.append(float(np.median(self._ms(self._time(window)[1]))))
            self._lead_in_runs = min(_LEAD_IN_RUNS, int(_LEAD_IN_MS / max(medians[-1], 1e-9)))
            elapsed, stable = time.perf_counter() - start, is_stable(medians)
            if elapsed >= secs * (1 if stable else MAX_WARMUP):
                return {"secs": elapsed, "stable": stable if secs else None}

    def _time(self, timing: TimingOptions) -> NDArray[np.int64]:
        """Time the three stages of each run; return nanoseconds `(3, runs)`."""
        clock, interpreter, inputs = time.perf_counter_ns, self._interpreter, self._inputs
        samples = np.empty((3, max(timing.num_runs, 1024)), np.int64)
        runs, start = 0, clock()
        earliest, latest = start + int(timing.min_secs * 1e9), start + int(timing.max_secs * 1e9)
        gc.disable()
        try:
            while True:
                image = inputs[runs % len(inputs)]
                begin = clock()
                interpreter.set_input(image)
                copied_in = clock()
                interpreter.invoke()
                invoked = clock()
                interpreter.get_output()
                copied_out = clock()
                if runs == samples.shape[1]:
                    samples = np.concatenate([samples, np.empty_like(samples)], axis=1)
                samples[:, runs] = copied_in - begin, invoked - copied_in, copied_out - invoked
                runs += 1
                if copied_out >= latest or (copied_out >= earliest and runs >= timing.num_runs):
                    return samples[:, :runs]
        finally:
            gc.enable()

    def _time_quantize(self, images: NDArray[np.float32]) -> float | None:
        """Time the conversion of single images; between the runs it would pause them."""
        if not self._interpreter.input.scale:
            return None
        samples = []
        for index in range(len(images)):
            image = np.array(images[index : index + 1])
            start = time.perf_counter_ns()
            self._interpreter.quantize(image)
            samples.append(time.perf_counter_ns() - start)
        return float(np.median(samples)) / _NS_PER_MS

    def _ms(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Convert samples to ms, and subtract the cost of reading the clock."""
        ms: NDArray[np.float64] = np.maximum(samples - self._timer_overhead_ns, 0.0) / _NS_PER_MS
        return ms


def answer_requests(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
    """Answer the load options, each request after them, and the end of the requests.

    Raises:
        ModelFileError: The file is not a runnable classifier, or the images do not fit it.
    """
    measurement = Measurement(LoadOptions(**next(requests)))
    answer(measurement.loaded()._asdict())
    for request in requests:
        if isinstance(request, int):
            answer(base64.b64encode(measurement.output(request).tobytes()).decode())
        elif request == STABILITY:
            answer(measurement.stability())
        elif "sustained_secs" in request:
            for window in measurement.sustain(SustainOptions(**request)):
                answer(window)
            answer(None)
        else:
            answer(measurement.run(TimingOptions(**request)))
    answer(measurement.row()._asdict())


def _images(load: LoadOptions, interpreter: Interpreter) -> NDArray[np.float32]:
    """Map the given images into memory, or generate noise of the right shape."""
    shape = interpreter.input.shape[1:]
    if load.inputs is None:
        return noise(shape)
    images: NDArray[np.float32] = np.load(load.inputs, mmap_mode="r")
    if images.shape[1:] != shape:
        raise ModelFileError(
            f"'{load.file}' takes images {shape}, but the run's are {images.shape[1:]}; "
            "give the run that this file was exported from."
        )
    return images


def _sha256(path: str) -> str:
    """Return the hash of a file (`hashlib.file_digest` needs Python 3.11)."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def noise(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return 32 images `(32, *shape)` of seeded uniform noise in [-1, 1)."""
    rng = np.random.default_rng(0)
    return rng.uniform(-1.0, 1.0, (_RANDOM_IMAGES, *shape)).astype(np.float32)


def _threads() -> int:
    """Return the number of threads of this process; 0 where the system does not tell."""
    try:
        return sum(1 for _ in Path("/proc/self/task").iterdir())
    except OSError:
        return 0


def _timer_overhead_ns() -> float:
    """Return the median difference between two successive readings of the clock."""
    clock = time.perf_counter_ns
    samples: list[int] = []
    for _ in range(1000):
        start = clock()
        samples.append(clock() - start)
    return float(np.median(samples))


if __name__ == "__main__":
    limit_memory()
    sys.exit(serve(answer_requests))
