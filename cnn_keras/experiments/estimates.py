"""Confidence intervals: of an accuracy, and over seeds of means, differences, ratios, curves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


def wilson(accuracy: float, num_images: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of an accuracy measured on a number of images.

    Reference:
        Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
        the American Statistical Association 22, 1927.
    """
    z = 1.959964  # two-sided 95 % quantile of the normal distribution
    center = accuracy + z**2 / (2 * num_images)
    spread = z * (accuracy * (1 - accuracy) / num_images + (z / (2 * num_images)) ** 2) ** 0.5
    scale = 1 + z**2 / num_images
    return (center - spread) / scale, (center + spread) / scale


def mean_interval(values: Sequence[float], comparisons: int = 1) -> tuple[float, float, float]:
    """Return the mean of results over seeds and its 95 % confidence interval (Student's t).

    Args:
        values: One for each seed.
        comparisons: Number of intervals that contain their means with 95 % together (Bonferroni).

    Raises:
        ValueError: There are fewer than two values.
    """
    from scipy.stats import t

    if len(values) < 2:
        raise ValueError("An interval over seeds needs two values or more.")
    mean = float(np.mean(values))
    error = float(np.std(values, ddof=1)) / len(values) ** 0.5
    reach = float(t.ppf(1 - 0.025 / comparisons, len(values) - 1)) * error
    return mean, mean - reach, mean + reach


class Estimate(NamedTuple):
    """A mean over seeds with its 95 % confidence interval, for a claim.

    Attributes:
        value: The mean.
        interval: Student's t interval; None for a single seed.

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


def mean(values: Sequence[float], comparisons: int = 1) -> Estimate:
    """Estimate a mean from one value per seed; see `mean_interval`."""
    if len(values) == 1:
        return Estimate(float(values[0]), None)
    middle, low, high = mean_interval(values, comparisons)
    return Estimate(middle, (low, high))


def difference(values: Sequence[float], others: Sequence[float], comparisons: int = 1) -> Estimate:
    """Estimate the mean difference of paired values; see `mean_interval`."""
    differences = [value - other for value, other in zip(values, others, strict=True)]
    return mean(differences, comparisons)


def geometric_mean(values: Sequence[float]) -> Estimate:
    """Estimate a geometric mean of positive numbers, such as ratios, from one value per seed.

    Example:
        >>> geometric_mean([2.0, 8.0]).value
        4.0
    """
    logs = mean([float(np.log2(value)) for value in values])
    low, high = logs.interval or (logs.value, logs.value)
    return Estimate(2**logs.value, (2**low, 2**high) if logs.interval else None)


def ratio(values: Sequence[float], others: Sequence[float]) -> Estimate:
    """Estimate the geometric mean of the ratios of paired positive values.

    Example:
        >>> ratio([2.0, 8.0], [1.0, 1.0]).value
        4.0
    """
    return geometric_mean([value / other for value, other in zip(values, others, strict=True)])


def rank_correlation(
    values: NDArray[np.floating[Any]], responses: NDArray[np.floating[Any]]
) -> Estimate:
    """Estimate the mean of Spearman's correlation between values and the responses of each seed.

    Args:
        values: The same for all seeds, `(points,)`.
        responses: `(seeds, points)`; the correlation of constant responses counts as 0.

    Example:
        >>> rank_correlation(np.array([1.0, 2.0, 3.0]), np.array([[0.1, 0.2, 0.9]])).value
        1.0
    """
    from scipy.stats import spearmanr

    return mean(
        [
            float(spearmanr(values, each).statistic) if np.ptp(each) and np.ptp(values) else 0.0
            for each in responses
        ]
    )


def smallest_step(curves: NDArray[np.floating[Any]]) -> Estimate:
    """Estimate the smallest step of rising curves from one point to the next.

    Args:
        curves: `(seeds, points)`; the step is the one with the smallest mean over seeds.

    Example:
        >>> smallest_step(np.array([[0.0, 2.0, 3.0]])).value
        1.0
    """
    steps = np.diff(curves, axis=1)
    return mean(steps[:, steps.mean(axis=0).argmin()].tolist())


def largest_step_share(curves: NDArray[np.floating[Any]]) -> Estimate:
    """Estimate the share of the largest step in the total rise: 1 for a curve that jumps once.

    Args:
        curves: `(seeds, points)`; the share of a curve that does not rise counts as 1.

    Example:
        >>> largest_step_share(np.array([[0.0, 2.0, 3.0, 4.0]])).value
        0.5
    """
    rises = curves[:, -1] - curves[:, 0]
    steps = np.diff(curves, axis=1).max(axis=1)
    shares = np.divide(steps, rises, out=np.ones_like(steps), where=rises > 0)
    return mean(shares.tolist())
