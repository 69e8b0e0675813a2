"""Do our latencies agree with `litert-benchmark`, the tool in LiteRT's own wheel?

    python -m export.benchmark.agreement FILE.tflite

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
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tyro
from rich.console import Console

from cnn_keras.command import log, quiet
from cnn_keras.errors import Error
from cnn_keras.records import Claim, claims_table, write_record

from ..interpreter import Interpreter, ModelFileError
from .compare import bootstrap, take_turns
from .host import host
from .process import measure
from .runner import Block, Spec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODULE = "export.benchmark.agreement"

# The tool rounds its results to 0.01 ms, which is 1 % of a network of 1 ms; here it must not.
_TOOL = (
    "from ai_edge_litert.tools import benchmark_litert_model as tool; "
    "tool.round = lambda value, digits: value; tool.main()"
)


@dataclass(frozen=True)
class Agreement:
    """Measure a file in turns with our runner and with litert-benchmark, and record the ratio."""

    file: tyro.conf.Positional[Path]
    """The .tflite file; from 0.1 ms, for the tool's fixed cost not to dominate."""
    pairs: int = 10
    """Runs of each tool."""
    secs: float = 1.0
    """Seconds of timed inferences in each run, about; half as long before them to warm up."""
    threads: int = 1
    """Threads that LiteRT may use."""
    out: Path = Path("docs/results/benchmark_agreement.json")
    """The record; its figure is written beside it."""

    def __call__(self) -> dict[str, Any]:
        """Measure, and return the record.

        Raises:
            ModelFileError: The file is no runnable classifier.
            Error: The tool failed.
        """
        machine = host()
        trial = measure(Spec(str(self.file), self.threads), Block(min_secs=0.1))
        num_runs = max(10, round(1e3 * self.secs / trial.latency_p50_ms))
        ours, theirs = take_turns(
            lambda: self._ours(num_runs), lambda: self._theirs(num_runs), self.pairs
        )
        call_cost = call_cost_ms(self.file, self.threads)
        return write_record(
            self.out,
            "benchmark",
            "agreement with litert-benchmark",
            claims(ours, theirs, call_cost),
            seeds=[0],
            budget={"pairs": self.pairs, "secs": self.secs, "num_runs": num_runs},
            details={
                "command": shlex.join(
                    ["python", "-m", "export.benchmark.agreement", *sys.argv[1:]]
                ),
                "file": self.file.name,
                "sha256": trial.sha256,
                "num_threads": self.threads,
                "host": machine._asdict(),
                "latency_p50_ms": {"ours": ours, "litert-benchmark": theirs},
                "call_cost_ms": call_cost,
            },
            figure=_figure(ours, theirs),
        )

    def _ours(self, num_runs: int) -> float:
        warmup_secs = self.secs / 2
        row = measure(
            Spec(str(self.file), self.threads, warmup_secs), Block(num_runs, min_secs=0.0)
        )
        log(f"ours {row.latency_p50_ms:.4f} ms")
        return row.latency_p50_ms

    def _theirs(self, num_runs: int) -> float:
        with tempfile.TemporaryDirectory() as folder:
            result = Path(folder, "result.json")
            options = {
                "model": self.file,
                "num_runs": num_runs,
                "warmup_runs": num_runs // 2,
                "num_threads": self.threads,
                "result_json": result,
            }
            done = subprocess.run(
                [
                    sys.executable,
                    "-c",
                    _TOOL,
                    *(f"--{key}={value}" for key, value in options.items()),
                ],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise Error(f"litert-benchmark failed: {done.stderr.strip().splitlines()[-1]}")
            latency: float = json.loads(result.read_text())["latency"]["median_ms"]
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
    from ai_edge_litert.compiled_model import CompiledModel
    from ai_edge_litert.hardware_accelerator import HardwareAccelerator
    from ai_edge_litert.options import CpuOptions, Options

    interpreter = Interpreter(file, num_threads)
    image = np.zeros(interpreter.input.shape, interpreter.input.dtype)
    interpreter.set_input(image)

    options = Options(HardwareAccelerator.CPU, cpu_options=CpuOptions(num_threads=num_threads))
    with quiet(2):
        compiled = CompiledModel.from_file(str(file), options=options)
    key, signature = next(iter(compiled.get_signature_list().items()))
    inputs = {name: compiled.create_input_buffer_by_name(key, name) for name in signature["inputs"]}
    outputs = {
        name: compiled.create_output_buffer_by_name(key, name) for name in signature["outputs"]
    }
    for buffer in inputs.values():
        buffer.write(image)

    tool, invoke = take_turns(
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
    ratio, whole = bootstrap(ours, inference), bootstrap(ours, theirs)
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

    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axes = figure.subplots()
    pairs = range(1, len(ours) + 1)
    axes.plot(pairs, ours, "o", label="cnn-keras benchmark")
    axes.plot(pairs, theirs, "s", markerfacecolor="none", label="litert-benchmark")
    axes.set(xlabel="pair", ylabel="median latency, ms", ylim=(0, None), xticks=list(pairs))
    axes.legend(loc="lower right")
    return figure


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the claims, and return the exit code."""
    agreement = tyro.cli(Agreement, args=argv, prog=f"python -m {_MODULE}")
    try:
        record = agreement()
    except (Error, ModelFileError) as error:
        log(str(error))
        return error.exit_code
    Console().print(claims_table(record))
    return 0


if __name__ == "__main__":
    sys.exit(main())
