"""Trials of `benchmark --vs` and `--baseline` on files of known speed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.command import log

from ...benchmark.cli import Benchmark
from ...benchmark.comparison.compare import NO_DIFFERENCE
from ...benchmark.results import append
from .files import slower_folder

SLOWER, GATE_SLOWER = 0.05, 0.10
REPETITIONS = 10
IDLE, HALF = LOADS = ("idle", "half")  # of a core, by another process
GATE_SIZE = "500us"
_HALF_LOAD = """
import time
while True:
    start = time.perf_counter()
    while time.perf_counter() - start < 0.05:
        pass
    time.sleep(0.05)
"""


class Trial(NamedTuple):
    """One comparison.

    Attributes:
        kind: ``"copy"``, ``"itself"`` and ``"slower"`` are of `--vs`; ``"gate_unchanged"``,
            ``"gate_equal"`` and ``"gate_slower"`` are of `--baseline`.
        size: Of `files.SIZES`.
        load: What other processes do: `IDLE` or `HALF`.
        repetition: Number of the trial among those of this kind, size and load.
    """

    kind: str
    size: str
    load: str
    repetition: int


KINDS = ("copy", "itself", "slower", "gate_unchanged", "gate_equal", "gate_slower")


def planned(sizes: Sequence[str], loads: Sequence[str], kinds: Sequence[str]) -> list[Trial]:
    """Return the trials.

    Under load, five of the ten comparisons of equal files are with a copy, and five are of a file
    with itself. The gate is tried on an idle machine with files of one size.
    """
    trials = []
    for load in loads:
        for size in sizes:
            for kind in kinds:
                if kind.startswith("gate") and (load != IDLE or size != GATE_SIZE):
                    continue
                half = load == HALF and kind in ("copy", "itself")
                count = REPETITIONS // 2 if half else REPETITIONS
                trials += [Trial(kind, size, load, index) for index in range(count)]
    return trials


def run_trials(trials: Sequence[Trial], folder: Path, command: Benchmark) -> None:
    """Run those trials that are not yet in ``trials.jsonl``, and append them.

    Args:
        trials: What to run.
        folder: Folder of the files; see `files.write_files`.
        command: The command, with the options that all trials share.
    """
    done = {trial for trial, _ in finished(folder)}
    missing = [trial for trial in trials if trial not in done]
    for load in dict.fromkeys(trial.load for trial in missing):
        with half_a_core() if load == HALF else nullcontext():
            for trial in missing:
                if trial.load == load:
                    start = time.perf_counter()
                    found = run_trial(trial, folder, command)
                    found |= {"secs": time.perf_counter() - start}
                    append(folder / "trials.jsonl", {**trial._asdict(), **found})
                    log(f"{' '.join(map(str, trial))}: {found['ratio']:.3f}, {found['verdict']}")


def finished(folder: Path) -> list[tuple[Trial, dict[str, Any]]]:
    """Return the trials that are in ``trials.jsonl``, with what they have found."""
    path = folder / "trials.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    rows = [json.loads(line) for line in lines]
    return [(Trial(*(row.pop(name) for name in Trial._fields)), row) for row in rows]


def run_trial(trial: Trial, folder: Path, command: Benchmark) -> dict[str, Any]:
    """Run one trial.

    Returns:
        The ``ratio``, its ``interval``, the ``verdict``, the number of ``processes``, and whether
        the verdict is ``right``.
    """
    file = folder / f"{trial.size}.tflite"
    if trial.kind.startswith("gate"):
        return _gate_trial(trial.kind, file, folder, command)
    other = {
        "copy": folder / f"{trial.size}_copy.tflite",
        "itself": file,
        "slower": folder / slower_folder(SLOWER) / file.name,
    }[trial.kind]
    expected = "slower" if trial.kind == "slower" else NO_DIFFERENCE
    with tempfile.TemporaryDirectory() as results:
        compared = replace(command, files=(other,), vs=(file,), out=Path(results, "vs.jsonl"))
        document: Any = compared().document
    versus = document["rows"][0]["vs"]
    found = {key: versus[key] for key in ("ratio", "interval", "verdict", "processes")}
    return {**found, "right": found["verdict"] == expected}


def _gate_trial(kind: str, file: Path, folder: Path, command: Benchmark) -> dict[str, Any]:
    """Measure a file as the baseline, and ask the gate about another one of its name."""
    new = {
        "gate_unchanged": file,
        "gate_equal": folder / "equal" / file.name,
        "gate_slower": folder / slower_folder(GATE_SLOWER) / file.name,
    }[kind]
    with tempfile.TemporaryDirectory() as results:
        baseline = Path(results, "baseline.jsonl")
        replace(command, files=(file,), out=baseline)()
        gated = replace(command, files=(new,), baseline=baseline, out=Path(results, "new.jsonl"))
        document: Any = gated().document
    (found,) = document["gate"]
    return {
        "ratio": found["ratio"],
        "interval": found["interval"],
        "verdict": "accepted" if found["accepted"] else "refused",
        "processes": None,
        "right": found["accepted"] == (kind != "gate_slower"),
    }


@contextmanager
def half_a_core() -> Iterator[None]:
    """Keep one core busy half of the time, in turns of 50 ms."""
    with subprocess.Popen([sys.executable, "-c", _HALF_LOAD]) as process:
        try:
            yield
        finally:
            process.kill()
