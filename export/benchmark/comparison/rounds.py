"""Rounds in which files are timed alternately, each in a fresh process.

In a round, each file runs in its own process, as in a single measurement. All processes stay alive
and run short blocks of inferences alternately. In a shared process one file's memory layout and
thread pool would affect the other; measured one after the other, the files would see a different
load of the machine. Blocks are short, and their order changes, so that a slow change of the machine
cancels.

A process keeps its memory layout, which makes it faster or slower for its whole life: blocks of one
process agree with each other and not with those of the next one. So there are several rounds, and
each round counts as one observation of the ratio of two files.

Reference:
    Kalibera and Jones, "Rigorous benchmarking in reasonable time", ISMM 2013, section 9.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from ..runner import LoadOptions, Row, TimingOptions
from ..runner_process import RunnerProcess, start
from .latency_ratio import Ratio, student_ratio

NUM_BLOCKS = 8  # of each process
DEFAULT_PROCESSES = 8


class Repetitions(NamedTuple):
    """When there are enough rounds.

    The rounds end as soon as each interval is narrow enough, which does not depend on where it
    lies.

    Attributes:
        processes: Least number of rounds, two or more: as many processes of each file.
        max_processes: Greatest number of rounds.
        precision: Half-width of the intervals, as a fraction of the ratio, that ends the rounds;
            and the smallest difference that is called one.
        confidence: Confidence of all intervals together. With k pairs of files, each interval has
            the confidence 1 - (1 - confidence) / k (Bonferroni).
    """

    processes: int = DEFAULT_PROCESSES
    max_processes: int = 2 * DEFAULT_PROCESSES
    precision: float = 0.01
    confidence: float = 0.99


class Round(NamedTuple):
    """What one process of each file has measured.

    Attributes:
        medians_ms: Median latencies of the blocks, by file.
        rows: Measurements of all blocks, by file.
        warmups: How the processes warmed up, by file: the key ``warmup`` of a row.
    """

    medians_ms: list[list[float]]
    rows: list[Row]
    warmups: list[dict[str, Any]]

    def ratio(self, first: int, second: int) -> float:
        """Return the median of the ratios of the blocks of two files."""
        return float(np.median(np.divide(self.medians_ms[first], self.medians_ms[second])))


class Rounds(NamedTuple):
    """All rounds together.

    Attributes:
        number: Number of rounds.
        rows: Measurements by file: the medians over its processes, and the sum of the runs.
        warmups: How the processes of each file warmed up: seconds of all, and whether all became
            stable.
        ratios: Ratio of the latencies of each two files, the first of which comes first.
    """

    number: int
    rows: list[Row]
    warmups: list[dict[str, Any]]
    ratios: dict[tuple[int, int], Ratio]


def interleave(
    measurements: Sequence[Callable[[], float]], num_rounds: int, seed: int = 0
) -> list[list[float]]:
    """Call measurements alternately, in a random order that every second round reverses.

    A steady drift cancels, and no measurement follows always the same one.

    Args:
        measurements: Each measures a latency.
        num_rounds: How often each is called.
        seed: Seed of the orders.

    Returns:
        What each has returned, round by round.
    """
    draw = random.Random(seed)
    order = list(range(len(measurements)))
    found: list[list[float]] = [[] for _ in measurements]
    for index in range(num_rounds):
        if index % 2:
            order.reverse()
        else:
            draw.shuffle(order)
        for each in order:
            found[each].append(measurements[each]())
    return found


def time_round(
    loads: Sequence[LoadOptions], block: TimingOptions, num_blocks: int = NUM_BLOCKS, seed: int = 0
) -> Round:
    """Time files alternately in one process each.

    Args:
        loads: The files.
        block: How long each block is.
        num_blocks: Blocks of each process.
        seed: Seed of the orders, the number of the round.

    Raises:
        ModelFileError: A file is not a runnable classifier, or it crashed its process.
    """
    with ExitStack() as stack:
        workers = [stack.enter_context(start()) for _ in loads]  # they import at the same time
        started = {
            index: stack.enter_context(RunnerProcess(loads[index], worker))
            for index, worker in zip(start_order(len(loads), seed), workers, strict=True)
        }
        processes = [started[index] for index in range(len(loads))]
        calls = [lambda each=each: each.run(block) for each in processes]
        medians = interleave(calls, num_blocks, seed)
        warmups = [process.stability()["warmup"] for process in processes]
        return Round(medians, [process.row() for process in processes], warmups)


def start_order(count: int, seed: int) -> list[int]:
    """Return the order in which the processes of a round start, the next one for the next seed.

    The first process to start may get another core and other memory than the last one, in each
    round alike. Each file is therefore the first one equally often.

    Args:
        count: Number of files.
        seed: Number of the round.

    Example:
        >>> start_order(3, seed=0), start_order(3, seed=1)
        ([0, 1, 2], [1, 2, 0])
    """
    return [(seed + place) % count for place in range(count)]


def time_rounds(
    loads: Sequence[LoadOptions],
    timing: TimingOptions,
    repetitions: Repetitions,
    advance: Callable[[], None] = lambda: None,
) -> Rounds:
    """Time files alternately in several processes each.

    Args:
        loads: Two files or more.
        timing: How long each file is timed in the least number of rounds, and warmed up; the
            processes share this evenly.
        repetitions: When the rounds end.
        advance: Is called after each round.

    Raises:
        ModelFileError: A file is not a runnable classifier, or it crashed its process.
    """
    blocks = repetitions.processes * NUM_BLOCKS
    block = TimingOptions(
        num_runs=math.ceil(timing.num_runs / blocks),
        min_secs=timing.min_secs / blocks,
        max_secs=timing.max_secs / blocks,
    )
    shares = [each._replace(warmup_secs=each.warmup_secs / repetitions.processes) for each in loads]
    pairs = list(combinations(range(len(loads)), 2))
    confidence = 1 - (1 - repetitions.confidence) / len(pairs)
    rounds: list[Round] = []
    ratios: dict[tuple[int, int], Ratio] = {}
    while len(rounds) < repetitions.processes or (
        len(rounds) < repetitions.max_processes
        and any(ratio.high > ratio.value * (1 + repetitions.precision) for ratio in ratios.values())
    ):
        rounds.append(time_round(shares, block, seed=len(rounds)))
        advance()
        if len(rounds) >= repetitions.processes:
            ratios = {
                pair: student_ratio([each.ratio(*pair) for each in rounds], confidence)
                for pair in pairs
            }
    return Rounds(
        len(rounds),
        [_median_row(rows) for rows in zip(*(each.rows for each in rounds), strict=True)],
        [_all_warmups(each) for each in zip(*(each.warmups for each in rounds), strict=True)],
        ratios,
    )


def _median_row(rows: Sequence[Row]) -> Row:
    """Combine the measurements of a file's processes: medians, and the sum of the runs."""
    measured: dict[str, Any] = {
        field: float(np.median([getattr(row, field) for row in rows]))
        for field, value in rows[0]._asdict().items()
        if isinstance(value, float)
    }
    return rows[0]._replace(**measured, num_runs=sum(row.num_runs for row in rows))


def _all_warmups(warmups: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Combine the warm-ups of a file's processes."""
    stable = None if warmups[0]["stable"] is None else all(each["stable"] for each in warmups)
    return {"secs": sum(each["secs"] for each in warmups), "stable": stable}
