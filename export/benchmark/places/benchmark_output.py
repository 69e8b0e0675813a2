"""Read what LiteRT's `benchmark_model` prints.

Reference:
    LiteRT, ``tflite/tools/benchmark/benchmark_model.cc`` and ``benchmark_tflite_model.cc``,
    ``tflite/core/subgraph.cc`` for the number of delegated nodes, and
    ``tflite/profiling/profile_summarizer.cc`` for the profile. Other times are in microseconds.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

_NUMBER = r"([\d.e+]+)"
_RUNS = re.compile(r"\bcount=(\d+) (.*)")
_TIMINGS = re.compile(rf"\bInference timings in us: Init: {_NUMBER}, First inference: {_NUMBER},")
_REPLACED = re.compile(
    r"\bReplacing (\d+) out of (\d+) node\(s\) with delegate \(TfLiteXNNPackDelegate\)"
)
_KERNELS = re.compile(r"\bpartially executed by the delegate w/ (\d+) delegate kernels")
_FULLY, _NOT_APPLIED = "graph will be completely executed", "graph will not be executed"
_PROFILE = re.compile("=+ Run Order =+")
_OPERATION = re.compile(  # its kind, the mean latency of a call, the number of calls, its name
    r"\s*(\S.*?)(?:\s+[\d.]+){1,2}\s+([\d.]+)(?:\s+[\d.]+%){2}\s+[\d.]+\s+(\d+)\s+(\S.*)"
)
_UNKNOWN_FLAGS = re.compile(r"^(?:WARN\w*: )?Unconsumed cmdline flags: (.+)$", re.MULTILINE)
_ERROR = re.compile(r"^(?:ERROR|FATAL|F): (.+)$", re.MULTILINE)


class Delegated(NamedTuple):
    """Which part of a file XNNPACK runs; None stands for what is not printed.

    Attributes:
        nodes: Operations in the graph.
        delegated_nodes: Operations that XNNPACK runs.
        partitions: Subgraphs that XNNPACK runs.
    """

    nodes: int | None
    delegated_nodes: int | None
    partitions: int | None


class NativeOperation(NamedTuple):
    """An operation of a profile.

    Attributes:
        op: The name of its kind by XNNPACK, or by TFLite if XNNPACK does not run it.
        name: Its own name.
        ms: Latency in one inference.
    """

    op: str
    name: str
    ms: float


def parse_delegated(text: str) -> Delegated:
    """Read which part of a file XNNPACK runs.

    Example:
        >>> parse_delegated("Though XNNPACK delegate is explicitly applied, the model graph will "
        ...                 "not be executed by the delegate.").delegated_nodes
        0
    """
    if _NOT_APPLIED in text:
        return Delegated(None, 0, 0)
    replaced = _REPLACED.search(text)
    nodes, delegated = (int(replaced[2]), int(replaced[1])) if replaced else (None, None)
    kernels = _KERNELS.search(text)
    partitions = 1 if _FULLY in text else int(kernels[1]) if kernels else None
    return Delegated(nodes, delegated, partitions)


def parse_row(text: str) -> dict[str, Any] | None:
    """Read the measurements, under the names of the fields of a `runner.Row`.

    Returns:
        None if the output has no measurements, or no percentiles, as that of older versions.
    """
    timings, runs = _TIMINGS.search(text), _RUNS.findall(text)
    if not timings or not runs:
        return None
    count, line = runs[-1]  # the first block is the warm-up
    values = dict(re.findall(rf"(\w+)={_NUMBER}", line))
    if "avg" not in values:  # all runs took equally long
        values |= {"min": values["curr"], "avg": values["curr"], "std": "0"}
    if "median" not in values:
        return None
    fields = {
        "latency_p50_ms": "median",
        "latency_p95_ms": "p95",
        "latency_min_ms": "min",
        "latency_mean_ms": "avg",
        "latency_std_ms": "std",
    }
    return {
        "load_ms": _ms(timings[1]),
        "first_ms": _ms(timings[2]),
        "num_runs": int(count),
        **{name: _ms(values[key]) for name, key in fields.items()},
        **parse_delegated(text)._asdict(),
    }


def parse_profile(text: str) -> list[NativeOperation]:
    """Read the operations of a profile, in the order in which they run.

    Returns:
        Nothing if the output has no profile.
    """
    if not _PROFILE.search(text):
        return []
    *_, profile = _PROFILE.split(text)  # that of the initialization comes first
    # After the operations in order, the same are printed sorted by time.
    rows = itertools.takewhile(str.strip, profile.splitlines()[1:])
    found = [match.groups() for row in rows if (match := _OPERATION.fullmatch(row.rstrip()))]
    calls = [int(count) for _, _, count, _ in found if int(count)]
    # Older versions count the calls in one inference, newer ones those in all.
    return [
        NativeOperation(op.removeprefix("Delegate/"), name, float(ms) * int(count) / min(calls))
        for op, ms, count, name in found
        if int(count)
    ]


def unknown_flags(text: str) -> str | None:
    """Return the flags that the program does not know, if there are any."""
    found = _UNKNOWN_FLAGS.search(text)
    return found[1].strip() if found else None


def error(text: str) -> str | None:
    """Return the first error that the program printed, if there is one."""
    found = _ERROR.search(text)
    return found[1].strip() if found else None


def _ms(microseconds: str) -> float:
    return float(microseconds) / 1e3
