"""Ratios of latencies with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# 97.5 % quantiles of Student's t distribution with 1, 2, ... degrees of freedom.
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


def bootstrap_ratio(
    first: Sequence[float], second: Sequence[float], num_resamples: int = 10_000, seed: int = 0
) -> Ratio:
    """Return the median of paired ratios and its 95 % percentile-bootstrap interval.

    Args:
        first: Median latencies of blocks.
        second: Median latencies of the blocks measured beside them.
        num_resamples: How often the pairs are drawn with replacement.
        seed: Seed of the draws.

    Reference:
        Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.

    Example:
        >>> bootstrap_ratio([2.0, 2.2, 1.8], [1.0, 1.0, 1.0]).value
        2.0
    """
    ratios = np.array(first) / np.array(second)
    draws = np.random.default_rng(seed).integers(len(ratios), size=(num_resamples, len(ratios)))
    low, high = np.percentile(np.median(ratios[draws], axis=1), (2.5, 97.5)).tolist()
    return Ratio(float(np.median(ratios)), low, high)


def student_ratio(ratios: Sequence[float]) -> Ratio:
    """Return the geometric mean of independent ratios and its 95 % Student interval.

    Args:
        ratios: Two or more, one a pair of processes; beyond eleven the interval is a little wide.

    Reference:
        Student, "The probable error of a mean", Biometrika 6, 1908.

    Example:
        >>> [round(part, 2) for part in student_ratio([1.9, 2.0, 2.1])]
        [2.0, 1.76, 2.26]
    """
    logs, count = np.log(ratios), len(ratios)
    half = _T[min(count - 1, len(_T)) - 1] * float(logs.std(ddof=1)) / math.sqrt(count)
    mean = float(logs.mean())
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half))
