"""Which of two files is faster, by how much, and whether that is more than noise.

Each file has its own fresh process, as in a single measurement; both stay alive and take turns in
blocks. A shared process would let one file's memory layout and thread pool act on the other; one
after the other, the machine's changing load would pass for a difference between the files. Within a
pair of blocks the order changes each time (A B, B A, ...), so that a steady drift cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from .process import Process
from .runner import Block, Row, Spec

NUM_PAIRS = 20


class Ratio(NamedTuple):
    """How long one file takes, relative to another.

    Attributes:
        value: Median over the pairs of blocks of the ratio of their median latencies.
        low: Lower end of its 95 % bootstrap interval.
        high: Upper end.
    """

    value: float
    low: float
    high: float


class Comparison(NamedTuple):
    """Two files, timed in turns.

    Attributes:
        row: The first file's measurement, from all its blocks.
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


def compare(spec: Spec, versus: Spec, block: Block, num_pairs: int = NUM_PAIRS) -> Comparison:
    """Time two files in turns.

    Args:
        spec: The first file.
        versus: The file it is compared with.
        block: How long each file is timed in all; its blocks share this evenly.
        num_pairs: Blocks of each file.

    Raises:
        ModelFileError: One of the files is no runnable classifier, or crashed its process.
    """
    share = Block(
        num_runs=math.ceil(block.num_runs / num_pairs),
        min_secs=block.min_secs / num_pairs,
        max_secs=block.max_secs / num_pairs,
    )
    with ExitStack() as stack:
        first, second = (stack.enter_context(Process(each)) for each in (spec, versus))
        medians = take_turns(lambda: first.run(share), lambda: second.run(share), num_pairs)
        row, other = first.row(), second.row()
    ratio = bootstrap(*medians)
    return Comparison(row, other, ratio, conclude(spec.file, versus.file, ratio))


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
