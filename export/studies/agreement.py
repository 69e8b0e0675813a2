"""Compare the latencies of `benchmark` with those of `litert-benchmark`, the tool of LiteRT.

Both tools measure the same file alternately. Each run has a fresh process and the same number of
warm-up and timed inferences on noise. The timed calls are nearly the same: litert-benchmark calls
`CompiledModel.run_by_name` with filled buffers, and `benchmark` calls `Interpreter.invoke` with
the input set. They differ in the overhead of the call: the Python method of litert-benchmark builds
two dictionaries, and LiteRT looks up the buffers by name and attaches them to the graph. In one
process this took 2.5 µs for a network of 4 µs and 6 µs for one of 350 µs (AMD EPYC, AVX2, 1 thread;
1.1 and 2.7 µs of it in Python). The overhead is therefore measured separately, and the ratio is
given with and without it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_keras.command import log, quiet
from cnn_keras.errors import Error
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host

from ..benchmark.comparison.latency_ratio import bootstrap_ratio
from ..benchmark.comparison.rounds import interleave
from ..benchmark.runner import LoadOptions, TimingOptions
from ..benchmark.runner_process import measure
from ..tflite.interpreter import Interpreter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# litert-benchmark rounds its results to 0.01 ms, which is 1 % of a network of 1 ms: turn that off.
_TOOL = (
    "from ai_edge_litert.tools import benchmark_litert_model as tool; "
    "tool.round = lambda value, digits: value; tool.main()"
)


def agreement(
    file: Path, out: Path, *, pairs: int = 10, secs: float = 1.0, threads: int = 1
) -> dict[str, Any]:
    """Measure a file alternately with `benchmark` and litert-benchmark, and record the ratio.

    Args:
        file: The .tflite file, which should take at least 0.1 ms: litert-benchmark has a fixed
            cost.
        out: Folder of the record and its figure.
        pairs: Number of runs of each tool.
        secs: Approximate seconds of timed inferences in each run; the warm-up takes half as long.
        threads: Number of threads.

    Raises:
        ModelFileError: The file is not a runnable classifier.
        Error: litert-benchmark failed.
    """
    trial = measure(LoadOptions(str(file), threads), TimingOptions(min_secs=0.1))
    num_runs = max(10, round(1e3 * secs / trial.latency_p50_ms))
    own, other = interleave(
        [
            lambda: _benchmark_ms(LoadOptions(str(file), threads, secs / 2), num_runs),
            lambda: _litert_benchmark_ms(file, threads, num_runs),
        ],
        pairs,
    )
    call_cost = call_cost_ms(file, threads)
    return write_record(
        out / "benchmark_agreement.json",
        "benchmark",
        "agreement with litert-benchmark",
        claims(own, other, call_cost),
        seeds=[0],
        budget={"pairs": pairs, "secs": secs, "num_runs": num_runs},
        details={
            "file": file.name,
            "sha256": trial.sha256,
            "num_threads": threads,
            "host": host()._asdict(),
            "latency_p50_ms": {"ours": own, "litert-benchmark": other},
            "call_cost_ms": call_cost,
        },
        figure=_figure(own, other),
    )


def _benchmark_ms(options: LoadOptions, num_runs: int) -> float:
    latency = measure(options, TimingOptions(num_runs, min_secs=0.0)).latency_p50_ms
    log(f"benchmark {latency:.4f} ms")
    return latency


def _litert_benchmark_ms(file: Path, num_threads: int, num_runs: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        options = {
            "model": file,
            "num_runs": num_runs,
            "warmup_runs": num_runs // 2,
            "num_threads": num_threads,
            "result_json": result,
        }
        command = [sys.executable, "-c", _TOOL, *(f"--{k}={v}" for k, v in options.items())]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False
        )
        if done.returncode:
            raise Error(f"litert-benchmark failed: {done.stderr.strip().splitlines()[-1]}")
        latency: float = json.loads(result.read_bytes())["latency"]["median_ms"]
    log(f"litert-benchmark {latency:.4f} ms")
    return latency


def call_cost_ms(file: Path, num_threads: int, num_pairs: int = 20) -> float:
    """Return the overhead of litert-benchmark's call to LiteRT, in ms.

    Both calls run the same file on the same image in this process, alternately.

    Args:
        file: The .tflite file.
        num_threads: Number of threads.
        num_pairs: Number of blocks of each call.
    """
    with quiet(2):  # LiteRT logs its accelerators when it starts and when it ends
        return _call_cost_ms(file, num_threads, num_pairs)


def _call_cost_ms(file: Path, num_threads: int, num_pairs: int) -> float:
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import CpuOptions, Options

    interpreter = Interpreter(file, num_threads)
    image = np.zeros(interpreter.input.shape, interpreter.input.dtype)
    interpreter.set_input(image)

    options = Options(HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=num_threads))
    compiled = CompiledModel.from_file(str(file), options=options)
    key, signature = next(iter(compiled.get_signature_list().items()))
    inputs = {name: compiled.create_input_buffer_by_name(key, name) for name in signature["inputs"]}
    outputs = {
        name: compiled.create_output_buffer_by_name(key, name) for name in signature["outputs"]
    }
    for buffer in inputs.values():
        buffer.write(image)

    by_name, invoke = interleave(
        [
            lambda: _median_ms(lambda: compiled.run_by_name(key, inputs, outputs)),
            lambda: _median_ms(interpreter.invoke),
        ],
        num_pairs,
    )
    return float(np.median(np.subtract(by_name, invoke)))


def _median_ms(call: Callable[[], None], seconds: float = 0.05) -> float:
    """Return the median time of a call that is repeated for some time."""
    samples: list[int] = []
    start = time.perf_counter_ns()
    end = start + int(seconds * 1e9)
    while start < end:
        start = time.perf_counter_ns()
        call()
        samples.append(time.perf_counter_ns() - start)
    return float(np.median(samples)) / 1e6


def claims(own: Sequence[float], other: Sequence[float], call_cost_ms: float) -> list[Claim]:
    """Return the claims about the latencies of both tools.

    The noise is the 95 % interval of the ratios of all ordered pairs of runs of the same tool.

    Args:
        own: Median latencies of the runs of `benchmark`.
        other: Median latencies of the runs of litert-benchmark, alternating with these.
        call_cost_ms: Overhead of litert-benchmark's call.
    """
    inference = [latency - call_cost_ms for latency in other]
    ratio, whole = bootstrap_ratio(own, inference), bootstrap_ratio(own, other)
    noise = [a / b for runs in (own, inference) for a, b in permutations(runs, 2)]
    low, high = np.percentile(noise, (2.5, 97.5)).tolist()
    return [
        Claim(
            "The median latencies of benchmark and of litert-benchmark without its overhead of the "
            "call differ by no more than two runs of one tool: their ratio lies within the "
            "interval of the noise.",
            low <= ratio.value <= high,
            ratio.value,
            (low, high),
        ),
        Claim(
            "The median latencies with the overhead of the call differ by no more than that, too "
            "(interval: 95 % of this ratio, bootstrap over the pairs).",
            low <= whole.value <= high,
            whole.value,
            (whole.low, whole.high),
        ),
    ]


def _figure(own: Sequence[float], other: Sequence[float]) -> Figure:
    """Draw the pairs in the order of their measurement."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    latencies, ratios = figure.subplots(2, sharex=True)
    pairs = range(1, len(own) + 1)
    latencies.plot(pairs, own, "o", label="cnn-keras benchmark")
    latencies.plot(pairs, other, "s", markerfacecolor="none", label="litert-benchmark")
    latencies.set(ylabel="median latency, ms", ylim=(0, 1.3 * max(*own, *other)))
    latencies.legend(loc="lower right")
    ratios.plot(pairs, np.divide(own, other), "o", color="0.3")
    ratios.axhline(1, color="0.6", linestyle=":")
    ratios.set(ylabel="ratio, cnn-keras /\nlitert-benchmark", xlabel="pair", xticks=list(pairs))
    return figure
