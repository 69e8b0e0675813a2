from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from cnn_keras.experiments.estimates import (
    Estimate,
    difference,
    largest_step_share,
    mean,
    mean_interval,
    ratio,
    smallest_step,
    wilson,
)

VALUES, OTHERS = [5.1, 7.0, 6.2, 9.9], [4.0, 6.5, 5.9, 8.1]


def test_a_difference_equals_that_of_a_paired_t_test() -> None:
    expected = ttest_rel(VALUES, OTHERS).confidence_interval(0.95)
    found = difference(VALUES, OTHERS)
    assert found.value == pytest.approx(0.925)
    assert found.interval == pytest.approx((expected.low, expected.high))


def test_swapping_the_values_inverts_the_ratio() -> None:
    found, back = ratio(VALUES, OTHERS), ratio(OTHERS, VALUES)
    assert found.interval is not None
    assert back.interval is not None
    assert found.value == pytest.approx(1 / back.value)
    assert found.interval == pytest.approx((1 / back.interval[1], 1 / back.interval[0]))


@pytest.mark.parametrize(
    ("found", "above", "below"),
    [
        (Estimate(2.0, (1.0, 3.0)), True, False),
        (Estimate(2.0, (-1.0, 5.0)), False, False),
        (Estimate(-2.0, (-3.0, -1.0)), False, True),
        (mean([0.5]), True, False),
        (mean([-0.5]), False, True),
        (ratio([1.0], [1.0]), True, False),
    ],
)
def test_an_estimate_is_above_or_below_a_bound_with_its_whole_interval(
    found: Estimate, above: bool, below: bool
) -> None:
    assert (found.above(0), found.below(0)) == (above, below)


def test_values_must_be_paired() -> None:
    with pytest.raises(ValueError, match="shorter"):
        difference([1.0, 2.0], [1.0])


def test_steps_of_curves() -> None:
    curves = np.array([[0.0, 0.1, 0.4, 0.5], [0.0, 0.2, 0.4, 0.8]])
    least = smallest_step(curves)
    assert least.value == pytest.approx(0.15)  # 0.1 and 0.2; the next are 0.25 on average
    assert least.interval is not None
    assert least.interval[0] < 0.1 < 0.2 < least.interval[1]
    assert largest_step_share(curves).value == pytest.approx((0.3 / 0.5 + 0.4 / 0.8) / 2)
    assert largest_step_share(curves[:, ::-1]).value == 1


def test_intervals() -> None:
    low, high = wilson(0.9, 100)
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)  # by R's prop.test, no correction
    center, low, high = mean_interval([0.98, 0.99, 1.0])
    assert center == pytest.approx(0.99)
    assert high - center == pytest.approx(4.302653 * 0.01 / math.sqrt(3))
    with pytest.raises(ValueError, match="two values or more"):
        mean_interval([0.9])
