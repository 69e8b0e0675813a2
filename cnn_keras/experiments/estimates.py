"""Comparisons over seeds: by how much one thing is above another, pair by pair, and how surely."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..training.evaluate import mean_interval


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % interval: what a claim's value and interval are made of.

    Attributes:
        value: The mean.
        interval: Student's t; None of a single seed, whose value then speaks for itself.

    Example:
        >>> found = difference([0.3, 0.4, 0.5], [0.1, 0.2, 0.2])
        >>> found.above(0), found.above(0.2)
        (True, False)
    """

    value: float
    interval: tuple[float, float] | None

    def above(self, bound: float) -> bool:
        """Return whether the whole interval lies above a bound."""
        return (self.interval or (self.value,))[0] > bound

    def below(self, bound: float) -> bool:
        """Return whether the whole interval lies below a bound."""
        return (self.interval or (self.value,))[-1] < bound


def mean(values: Sequence[float]) -> Estimate:
    """Estimate a mean from one value a seed."""
    if len(values) == 1:
        return Estimate(float(values[0]), None)
    middle, low, high = mean_interval(values)
    return Estimate(middle, (low, high))


def difference(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """Estimate how much the values are above the others, of which each belongs to one of them."""
    return mean([value - other for value, other in zip(values, others, strict=True)])


def geometric_mean(values: Sequence[float]) -> Estimate:
    """Estimate a geometric mean of positive numbers, such as ratios, from one value a seed.

    Example:
        >>> geometric_mean([2.0, 8.0]).value
        4.0
    """
    logs = mean([float(np.log2(value)) for value in values])
    low, high = logs.interval or (logs.value, logs.value)
    return Estimate(2**logs.value, (2**low, 2**high) if logs.interval else None)


def ratio(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """Estimate how many times the others the values are: a geometric mean, of positive numbers.

    Example:
        >>> ratio([2.0, 8.0], [1.0, 1.0]).value
        4.0
    """
    return geometric_mean([value / other for value, other in zip(values, others, strict=True)])


def rank_correlation(
    values: NDArray[np.floating[Any]], found: NDArray[np.floating[Any]]
) -> Estimate:
    """Estimate Spearman's correlation of what each seed found with what it was found at.

    Args:
        values: The same for all seeds, `(places,)`.
        found: `(seeds, places)`; a seed that found the same everywhere counts as 0.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([[0.1, 0.2, 0.9]])).value
        1.0
    """
    from scipy.stats import spearmanr

    return mean(
        [
            float(spearmanr(values, each).statistic) if np.ptp(each) and np.ptp(values) else 0.0
            for each in found
        ]
    )


def least_step(curves: NDArray[np.floating[Any]]) -> Estimate:
    """Estimate the least step of rising curves: that from one place to the next which rises least.

    Args:
        curves: `(seeds, places)`; the step is chosen by its mean over seeds.

    Example:
        >>> least_step(np.array([[0.0, 2.0, 3.0]])).value
        1.0
    """
    steps = np.diff(curves, axis=1)
    return mean(steps[:, steps.mean(axis=0).argmin()].tolist())


def greatest_share(curves: NDArray[np.floating[Any]]) -> Estimate:
    """Estimate how much of the whole rise the greatest step makes: 1 in a curve that jumps once.

    Args:
        curves: `(seeds, places)`; one that does not rise counts as 1.

    Example:
        >>> greatest_share(np.array([[0.0, 2.0, 3.0, 4.0]])).value
        0.5
    """
    rises = curves[:, -1] - curves[:, 0]
    steps = np.diff(curves, axis=1).max(axis=1)
    shares = np.divide(steps, rises, out=np.ones_like(steps), where=rises > 0)
    return mean(shares.tolist())
