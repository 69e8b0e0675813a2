"""Which of two files is faster, by how much, and whether that is more than noise.

Each file has its own fresh process, as in a single measurement; both stay alive and take turns in
blocks. A shared process would let one file's memory layout and thread pool act on the other; one
after the other, the machine's changing load would pass for a difference between the files. Within a
pair of blocks the order changes each time (A B, B A, ...), so that a steady drift cancels.

A process keeps its memory layout, and is some percent faster or slower by it for as long as it
lives: blocks of one pair of processes agree with each other and not with the next pair's. So there
are several pairs of processes, each of which counts as one observation.

Reference:
    Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, section 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from .process import Process
from .runner import Block, Row, Spec

NUM_PROCESSES = 4  # of each file; `benchmark` takes more
NUM_PAIRS = 4  # of blocks, in each pair of processes

# Student's t with 1, 2, ... degrees of freedom: 0.975 of its distribution lies below.
_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)


class Ratio(NamedTuple):
    """How long one file takes, relative to another.

    Attributes:
        value: The ratio of their latencies.
        low: Lower end of its 95 % interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Two files, timed in turns.

    Attributes:
        row: The first file's measurement: the medians of its processes', and all runs counted.
        versus: The second file's.
        ratio: Latency of the first over latency of the second.
        conclusion: The same in words.
    """

    row: Row
    versus: Row
    ratio: Ratio
    conclusion: str


def bootstrap(
    first: Sequence[float], second: Sequence[float], num_resamples: int = 10_000, seed: int = 0
) -> Ratio:
    """Return the median of paired ratios and its 95 % percentile-bootstrap interval.

    Args:
        first: Median latencies of the blocks.
        second: Those that were measured beside them.
        num_resamples: How often the pairs are drawn with replacement.
        seed: Seed of the draws.

    Reference:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Example:
        >>> bootstrap([2.0, 2.2, 1.8], [1.0, 1.0, 1.0]).value
        2.0
    """
    ratios = np.array(first) / np.array(second)
    draws = np.random.default_rng(seed).integers(len(ratios), size=(num_resamples, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), (2.5, 97.5)).tolist()
    return Ratio(float(np.median(ratios)), low, high)


def student(ratios: Sequence[float]) -> Ratio:
    """Return the geometric mean of independent ratios, and Student's 95 % interval of it.

    Args:
        ratios: Two or more, one a pair of processes; beyond eleven the interval is a little wide.

    Reference:
        Student, "The probable error of a mean", Biometrika 6, 1908.

    Example:
        >>> [round(part, 2) for part in student([1.9, 2.0, 2.1])]
        [2.0, 1.76, 2.26]
    """
    logs, count = np.log(ratios), len(ratios)
    half = _T[min(count - 1, len(_T)) - 1] * float(logs.std(ddof=1)) / math.sqrt(count)
    mean = float(logs.mean())
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half))


def take_turns(
    first: Callable[[], float], second: Callable[[], float], num_pairs: int
) -> tuple[list[float], list[float]]:
    """Call two measurements in turns, the order changing from pair to pair.

    Args:
        first: Measures a latency.
        second: Measures the other.
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
    spec: Spec,
    versus: Spec,
    block: Block,
    num_processes: int = NUM_PROCESSES,
    num_pairs: int = NUM_PAIRS,
) -> Comparison:
    """Time two files in turns.

    Args:
        spec: The first file.
        versus: The file it is compared with.
        block: How long each file is timed in all; its blocks share this evenly.
        num_processes: Processes of each file, two or more. They share the warm-up.
        num_pairs: Blocks of each process.

    Raises:
        ModelFileError: One of the files is no runnable classifier, or crashed its process.
    """
    blocks = num_processes * num_pairs
    share = Block(
        num_runs=math.ceil(block.num_runs / blocks),
        min_secs=block.min_secs / blocks,
        max_secs=block.max_secs / blocks,
    )
    first, second = (
        each._replace(warmup_secs=each.warmup_secs / num_processes) for each in (spec, versus)
    )
    found = [compare_once(first, second, share, num_pairs) for _ in range(num_processes)]
    ratios, rows, others = zip(*found, strict=True)
    ratio = student(ratios)
    conclusion = conclude(spec.file, versus.file, ratio)
    return Comparison(_together(rows), _together(others), ratio, conclusion)


def compare_once(spec: Spec, versus: Spec, block: Block, num_pairs: int) -> tuple[float, Row, Row]:
    """Time two files in turns in one process each.

    Args:
        spec: The first file.
        versus: The file it is compared with.
        block: How long each block is.
        num_pairs: Blocks of each process.

    Returns:
        Median of the ratios of the blocks' median latencies, and both measurements.

    Raises:
        ModelFileError: One of the files is no runnable classifier, or crashed its process.
    """
    with ExitStack() as stack:
        first, second = (stack.enter_context(Process(each)) for each in (spec, versus))
        firsts, seconds = take_turns(lambda: first.run(block), lambda: second.run(block), num_pairs)
        return float(np.median(np.divide(firsts, seconds))), first.row(), second.row()


def _together(rows: Sequence[Row]) -> Row:
    """Return the measurements of a file's processes as one: the medians of what was measured."""
    measured: dict[str, Any] = {
        field: float(np.median([getattr(row, field) for row in rows]))
        for field, value in rows[0]._asdict().items()
        if isinstance(value, float)
    }
    return rows[0]._replace(**measured, num_runs=sum(row.num_runs for row in rows))


def conclude(first: str, second: str, ratio: Ratio) -> str:
    """Say in words what a ratio of latencies means.

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
