"""Do our latencies agree with `litert-benchmark`, the tool in LiteRT's own wheel?

Both tools measure the same file in turns, each run in a fresh process with the same number of
warm-up and timed inferences on noise. They time nearly the same: the tool calls
`CompiledModel.run_by_name` with its buffers filled beforehand, we call `Interpreter.invoke` with
the image in place. What differs is the cost of the call: the tool's Python method builds two
dictionaries, and LiteRT looks up the buffers by name and attaches them to the graph. In one process
that was 2.5 µs on a network of 4 µs and 6 µs on one of 350 µs (AMD EPYC, AVX2, 1 thread; of these
1.1 and 2.7 in Python), so it is measured apart and the ratio is given with and without it.
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

from ..benchmark.compare import interleave
from ..benchmark.intervals import bootstrap_ratio
from ..benchmark.process import measure
from ..benchmark.runner import LoadOptions, TimingOptions
from ..tflite.interpreter import Interpreter

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# The tool rounds its results to 0.01 ms, which is 1 % of a network of 1 ms; here it must not.
_TOOL = (
    "from ai_edge_litert.tools import benchmark_litert_model as tool; "
    "tool.round = lambda value, digits: value; tool.main()"
)


def agreement(
    file: Path, out: Path, *, pairs: int = 10, secs: float = 1.0, threads: int = 1
) -> dict[str, Any]:
    """Measure a file in turns with our runner and with litert-benchmark, and record the ratio.

    Args:
        file: The .tflite file; from 0.1 ms, for the tool's fixed cost not to dominate.
        out: Folder of the record.
        pairs: Runs of each tool.
        secs: Seconds of timed inferences in each run, about; half as long before to warm up.
        threads: Threads that LiteRT may use.

    Raises:
        ModelFileError: The file is no runnable classifier.
        Error: The tool failed.
    """
    trial = measure(LoadOptions(str(file), threads), TimingOptions(min_secs=0.1))
    num_runs = max(10, round(1e3 * secs / trial.latency_p50_ms))
    ours, theirs = interleave(
        lambda: _ours(LoadOptions(str(file), threads, secs / 2), num_runs),
        lambda: _theirs(file, threads, num_runs),
        pairs,
    )
    call_cost = call_cost_ms(file, threads)
    return write_record(
        out / "benchmark_agreement.json",
        "benchmark",
        "agreement with litert-benchmark",
        claims(ours, theirs, call_cost),
        seeds=[0],
        budget={"pairs": pairs, "secs": secs, "num_runs": num_runs},
        details={
            "file": file.name,
            "sha256": trial.sha256,
            "num_threads": threads,
            "host": host()._asdict(),
            "latency_p50_ms": {"ours": ours, "litert-benchmark": theirs},
            "call_cost_ms": call_cost,
        },
        figure=_figure(ours, theirs),
    )


def _ours(spec: LoadOptions, num_runs: int) -> float:
    latency = measure(spec, TimingOptions(num_runs, min_secs=0.0)).latency_p50_ms
    log(f"ours {latency:.4f} ms")
    return latency


def _theirs(file: Path, num_threads: int, num_runs: int) -> float:
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
    """Return what the tool's call costs beyond the inference, in ms.

    Both ways to call LiteRT run the same file on the same image in this process, in turns.

    Args:
        file: The .tflite file.
        num_threads: Threads that LiteRT may use.
        num_pairs: Blocks of each.
    """
    with quiet(2):  # LiteRT lists its accelerators, when they come and when they go
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

    tool, invoke = interleave(
        lambda: _median_ms(lambda: compiled.run_by_name(key, inputs, outputs)),
        lambda: _median_ms(interpreter.invoke),
        num_pairs,
    )
    return float(np.median(np.subtract(tool, invoke)))


def _median_ms(call: Callable[[], None], seconds: float = 0.05) -> float:
    """Return the median time of a call that is repeated for a while."""
    samples: list[int] = []
    start = time.perf_counter_ns()
    end = start + int(seconds * 1e9)
    while start < end:
        start = time.perf_counter_ns()
        call()
        samples.append(time.perf_counter_ns() - start)
    return float(np.median(samples)) / 1e6


def claims(ours: Sequence[float], theirs: Sequence[float], call_cost_ms: float) -> list[Claim]:
    """Judge pairs of median latencies.

    The noise is what two runs of the same tool differ by: the 95 % interval of the ratios of all
    ordered pairs of runs, within each tool.

    Args:
        ours: Median latencies of our runs.
        theirs: Those of the tool's runs, measured in turns with ours.
        call_cost_ms: What the tool's call costs beyond the inference.
    """
    inference = [latency - call_cost_ms for latency in theirs]
    ratio, whole = bootstrap_ratio(ours, inference), bootstrap_ratio(ours, theirs)
    noise = [a / b for runs in (ours, inference) for a, b in permutations(runs, 2)]
    low, high = np.percentile(noise, (2.5, 97.5)).tolist()
    return [
        Claim(
            "Our median latency and litert-benchmark's inference (its median without its cost of a "
            "call) differ by no more than two runs of one tool: their ratio lies within the "
            "interval of the noise.",
            low <= ratio.value <= high,
            ratio.value,
            (low, high),
        ),
        Claim(
            "So do our median and litert-benchmark's with its cost of a call (interval: this "
            "ratio's own, 95 %, bootstrap over the pairs).",
            low <= whole.value <= high,
            whole.value,
            (whole.low, whole.high),
        ),
    ]


def _figure(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    """Draw the pairs, in the order in which they were measured."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4.5), layout="constrained")
    latencies, ratios = figure.subplots(2, sharex=True)
    pairs = range(1, len(ours) + 1)
    latencies.plot(pairs, ours, "o", label="cnn-keras benchmark")
    latencies.plot(pairs, theirs, "s", markerfacecolor="none", label="litert-benchmark")
    latencies.set(ylabel="median latency, ms", ylim=(0, 1.3 * max(*ours, *theirs)))
    latencies.legend(loc="lower right")
    ratios.plot(pairs, np.divide(ours, theirs), "o", color="0.3")
    ratios.axhline(1, color="0.6", linestyle=":")
    ratios.set(ylabel="ratio, ours to theirs", xlabel="pair", xticks=list(pairs))
    return figure
