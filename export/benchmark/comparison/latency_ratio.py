"""Ratios of latencies with intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_BISECTIONS = 60  # halve [0, π/2] to the precision of a float


class Ratio(NamedTuple):
    """How long one file takes, relative to another.

    Attributes:
        value: The ratio of their latencies.
        low: Lower end of its interval.
        high: Upper end.
        confidence: Confidence of the interval.
    """

    value: float
    low: float
    high: float
    confidence: float = 0.95

    @property
    def text(self) -> str:
        """The interval in words.

        Example:
            >>> Ratio(0.5, 0.4, 0.6).text
            '95 % interval 0.400 to 0.600'
        """
        return f"{100 * self.confidence:.4g} % interval {self.low:.3f} to {self.high:.3f}"


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


def student_ratio(ratios: Sequence[float], confidence: float = 0.95) -> Ratio:
    """Return the trimmed geometric mean of independent ratios and its Student interval.

    An eighth of the ratios is trimmed at each end, which another program may have disturbed; of
    fewer than eight ratios, none.

    Args:
        ratios: Two or more, one a pair of processes.
        confidence: Confidence of the interval.

    Reference:
        Tukey and McLaughlin, "Less vulnerable confidence and significance procedures for location
        based on a single sample", Sankhya A 25, 1963.

    Example:
        >>> [round(part, 2) for part in student_ratio([1.9, 2.0, 2.1])]
        [2.0, 1.76, 2.26, 0.95]
    """
    logs = np.sort(np.log(ratios))
    trimmed = len(logs) // 8
    kept = logs[trimmed : len(logs) - trimmed]
    winsorized = np.clip(logs, kept[0], kept[-1])
    error = math.sqrt(float(((winsorized - winsorized.mean()) ** 2).sum()) / len(kept))
    half = student_quantile(confidence, len(kept) - 1) * error / math.sqrt(len(kept) - 1)
    mean = float(kept.mean())
    return Ratio(math.exp(mean), math.exp(mean - half), math.exp(mean + half), confidence)


def student_quantile(confidence: float, degrees: int) -> float:
    """Return the half-width of the interval around 0 with this probability under Student's t.

    A board has no SciPy, which would compute it.

    Args:
        confidence: The probability, between 0 and 1.
        degrees: Degrees of freedom, at least 1.

    Reference:
        Abramowitz and Stegun, "Handbook of Mathematical Functions", 1964, 26.7.3 and 26.7.4.

    Example:
        >>> round(student_quantile(0.95, 7), 3)
        2.365
    """
    low, high = 0.0, math.pi / 2
    for _ in range(_BISECTIONS):
        angle = (low + high) / 2
        if _probability(angle, degrees) < confidence:
            low = angle
        else:
            high = angle
    return math.sqrt(degrees) * math.tan(low)


def _probability(angle: float, degrees: int) -> float:
    """Return the probability of |t| ≤ √degrees · tan(angle)."""
    odd = degrees % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for power in range(1 + odd, degrees, 2):
        total += term
        term *= math.cos(angle) ** 2 * power / (power + 1)
    total *= math.sin(angle)
    return (angle + total) * 2 / math.pi if odd else total
