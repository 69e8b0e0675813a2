"""Test how often the verdicts of `benchmark --vs` and `--baseline` are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host

from ...benchmark.cli import Benchmark
from .files import SIZES, write_files
from .trials import (
    GATE_SIZE,
    GATE_SLOWER,
    HALF,
    IDLE,
    SLOWER,
    Trial,
    finished,
    planned,
    run_trials,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MIN_RIGHT = 0.9  # of the verdicts
EQUAL = ("copy", "itself")
DEFAULTS = Benchmark(())
_KINDS = {
    "copy": "--vs shows no difference between a file of {latency} and its copy",
    "itself": "--vs shows no difference between a file of {latency} and itself",
    "slower": "--vs shows that a file of {latency} is slower than another one by {slower}",
    "gate_unchanged": "--baseline accepts the unchanged file of {latency}",
    "gate_equal": "--baseline accepts another file of the same speed, {latency}",
    "gate_slower": "--baseline refuses a file of {latency} that is slower by {gate_slower}",
}

Results = Sequence[tuple[Trial, Mapping[str, Any]]]


def comparison(
    out: Path,
    folder: Path,
    sizes: Sequence[str],
    loads: Sequence[str],
    kinds: Sequence[str],
    command: Benchmark = DEFAULTS,
) -> dict[str, Any]:
    """Run the trials that are not finished, and record all.

    Args:
        out: Folder of the record and its figure.
        folder: Folder of the files and the finished trials.
        sizes: Of `files.SIZES`.
        loads: Of `trials.LOADS`.
        kinds: Of `trials.KINDS`.
        command: The command, with the options that all trials share; by default its own.

    Returns:
        The record.
    """
    files: dict[str, Any] = {}
    for size in sizes:
        slowdowns = (SLOWER, GATE_SLOWER) if size == GATE_SIZE else (SLOWER,)
        files |= write_files(folder, size, slowdowns)
    trials = planned(sizes, loads, kinds)
    run_trials(trials, folder, command)
    results = sorted(
        ((trial, found) for trial, found in finished(folder) if trial in trials),
        key=lambda each: trials.index(each[0]),
    )
    return write_record(
        out / "comparison.json",
        "benchmark",
        "comparison",
        claims(results),
        seeds=[0],
        budget={"sizes": list(sizes), "loads": list(loads), "trials": list(kinds), "threads": 1},
        details={
            "host": host()._asdict(),
            "files": files,
            "trials": [{**trial._asdict(), **found} for trial, found in results],
        },
        figure=_figure(results),
    )


def claims(results: Results) -> list[Claim]:
    """Return the claims about the right verdicts of each kind, size and load."""
    found = []
    for (kind, size, load), group in groupby(results, key=lambda each: _group(each[0])):
        verdicts = [bool(result["right"]) for _, result in group]
        text = _KINDS[kind].format(
            latency=SIZES[size].latency, slower=f"{SLOWER:.0%}", gate_slower=f"{GATE_SLOWER:.0%}"
        )
        if load == HALF:
            text += ", while another process loads half a core"
            text = text.replace(" and its copy", " and its copy or itself")
        found.append(
            Claim(
                f"{text} (right verdicts of {len(verdicts)})",
                sum(verdicts) >= MIN_RIGHT * len(verdicts),
                sum(verdicts),
            )
        )
    return found


def _group(trial: Trial) -> tuple[str, str, str]:
    """Return what trials have in common that are counted together."""
    kind = "copy" if trial.load == HALF and trial.kind in EQUAL else trial.kind
    return kind, trial.size, trial.load


def _figure(results: Results) -> Figure:
    """Draw the ratios of `--vs` with their intervals, by size and load."""
    from matplotlib.figure import Figure

    shown = [each for each in results if not each[0].kind.startswith("gate")]
    sizes = list(dict.fromkeys(trial.size for trial, _ in shown)) or [GATE_SIZE]
    figure = Figure(figsize=(8, 1 + 2 * len(sizes)), layout="constrained")
    panels = figure.subplots(len(sizes), 2, sharex=True, squeeze=False)
    for row, size in zip(panels, sizes, strict=True):
        for axes, load in zip(row, (IDLE, HALF), strict=True):
            for kinds, color in ((EQUAL, "C0"), (("slower",), "C1")):
                ratios = np.array(
                    [
                        [found["ratio"], *found["interval"]]
                        for trial, found in shown
                        if (trial.size, trial.load) == (size, load) and trial.kind in kinds
                    ]
                ).reshape(-1, 3)
                value, low, high = ratios.T
                positions = np.arange(len(ratios)) + (0.0 if color == "C0" else 0.5)
                axes.errorbar(
                    value,
                    positions,
                    xerr=(value - low, high - value),
                    fmt=".",
                    color=color,
                    label="equal files" if color == "C0" else f"slower by {SLOWER:.0%}",
                )
            axes.axvline(1, color="black", linewidth=0.8)
            axes.set_yticks([])
            busy = "" if load == IDLE else ", half a core busy"
            axes.set_title(f"{SIZES[size].latency}{busy}", fontsize="medium")
    panels[0, 0].legend(fontsize="small")
    for axes in panels[-1]:
        axes.set_xlabel("ratio of the latencies, 99 % interval")
    return figure
