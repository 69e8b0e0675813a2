"""Which of two files is faster, by how much, and whether the difference exceeds the noise.

Each file runs in its own fresh process, as in a single measurement. Both processes stay alive and
run blocks of inferences alternately. In a shared process one file's memory layout and thread pool
would affect the other; measured one after the other, the files would see a different load of the
machine. The order within a pair of blocks alternates (A B, B A, ...), so that a steady drift
cancels.

A process keeps its memory layout, which makes it some percent faster or slower for its whole life:
blocks of one pair of processes agree with each other and not with those of the next pair. So there
are several pairs of processes, and each pair counts as one observation.

Reference:
    Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, section 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from ..runner import LoadOptions, Row, TimingOptions
from ..runner_process import RunnerProcess
from .latency_ratio import Ratio, student_ratio

NUM_PROCESSES = 4  # of each file; `benchmark` takes more
NUM_PAIRS = 4  # of blocks, in each pair of processes


class Comparison(NamedTuple):
    """Two files that were timed alternately.

    Attributes:
        row: The first file's measurement: the medians over its processes, and the sum of the runs.
        other: The second file's.
        ratio: Latency of the first over latency of the second.
        conclusion: The same in words.
    """

    row: Row
    other: Row
    ratio: Ratio
    conclusion: str

    def versus(self) -> dict[str, Any]:
        """Return the other file and the ratio, for the document of the first."""
        return {
            "file": self.other.file,
            "sha256": self.other.sha256,
            "ratio": self.ratio.value,
            "interval": [self.ratio.low, self.ratio.high],
            "conclusion": self.conclusion,
        }


def interleave(
    first: Callable[[], float], second: Callable[[], float], num_pairs: int
) -> tuple[list[float], list[float]]:
    """Call two measurements alternately, in an order that changes from pair to pair.

    Args:
        first: Measures a latency.
        second: Measures the other latency.
        num_pairs: How often each is called.

    Returns:
        What the first and what the second returned, pair by pair.
    """
    firsts, seconds = [], []
    for pair in range(num_pairs):
        if pair % 2 == 0:
            firsts.append(first())
            seconds.append(second())
        else:
            seconds.append(second())
            firsts.append(first())
    return firsts, seconds


def compare(
    load: LoadOptions,
    other: LoadOptions,
    timing: TimingOptions,
    num_processes: int = NUM_PROCESSES,
    num_pairs: int = NUM_PAIRS,
) -> Comparison:
    """Time two files alternately.

    Args:
        load: The first file.
        other: The file that it is compared with.
        timing: How long each file is timed in total; its blocks share this evenly.
        num_processes: Processes of each file, two or more. They share the warm-up.
        num_pairs: Blocks of each process.

    Raises:
        ModelFileError: One of the files is not a runnable classifier, or crashed its process.
    """
    blocks = num_processes * num_pairs
    share = TimingOptions(
        num_runs=math.ceil(timing.num_runs / blocks),
        min_secs=timing.min_secs / blocks,
        max_secs=timing.max_secs / blocks,
    )
    first, second = (
        each._replace(warmup_secs=each.warmup_secs / num_processes) for each in (load, other)
    )
    pairs = [compare_once(first, second, share, num_pairs) for _ in range(num_processes)]
    ratios, rows, others = zip(*pairs, strict=True)
    ratio = student_ratio(ratios)
    conclusion = conclude(load.file, other.file, ratio)
    return Comparison(_median_row(rows), _median_row(others), ratio, conclusion)


def compare_once(
    load: LoadOptions, other: LoadOptions, timing: TimingOptions, num_pairs: int
) -> tuple[float, Row, Row]:
    """Time two files alternately in one process each.

    Args:
        load: The first file.
        other: The file that it is compared with.
        timing: How long each block is.
        num_pairs: Blocks of each process.

    Returns:
        Median of the ratios of the blocks' median latencies, and both measurements.

    Raises:
        ModelFileError: One of the files is not a runnable classifier, or crashed its process.
    """
    with ExitStack() as stack:
        first, second = (stack.enter_context(RunnerProcess(each)) for each in (load, other))
        firsts, seconds = interleave(
            lambda: first.run(timing), lambda: second.run(timing), num_pairs
        )
        return float(np.median(np.divide(firsts, seconds))), first.row(), second.row()


def _median_row(rows: Sequence[Row]) -> Row:
    """Combine the measurements of a file's processes: medians, and the sum of the runs."""
    measured: dict[str, Any] = {
        field: float(np.median([getattr(row, field) for row in rows]))
        for field, value in rows[0]._asdict().items()
        if isinstance(value, float)
    }
    return rows[0]._replace(**measured, num_runs=sum(row.num_runs for row in rows))


def conclude(first: str, second: str, ratio: Ratio) -> str:
    """Express a ratio of latencies in words.

    Example:
        >>> conclude("a", "b", Ratio(0.5, 0.49, 0.51))
        'a takes 0.500 times as long as b (95 % interval 0.490 to 0.510): it is faster.'
    """
    if ratio.low <= 1.0 <= ratio.high:
        verdict = "the difference is within the noise"
    else:
        verdict = "it is faster" if ratio.high < 1.0 else "it is slower"
    return (
        f"{first} takes {ratio.value:.3f} times as long as {second} "
        f"(95 % interval {ratio.low:.3f} to {ratio.high:.3f}): {verdict}."
    )
