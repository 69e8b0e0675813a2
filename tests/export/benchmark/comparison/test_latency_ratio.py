from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from export.benchmark.comparison.latency_ratio import (
    bootstrap_ratio,
    student_quantile,
    student_ratio,
)


def test_interval_holds_the_true_ratio_and_is_reproducible() -> None:
    rng = np.random.default_rng(0)
    drift = rng.uniform(1.0, 3.0, 40)  # the machine's load, which hits both files of a pair
    first = (2.0 * drift * rng.normal(1.0, 0.01, 40)).tolist()
    second = (drift * rng.normal(1.0, 0.01, 40)).tolist()
    ratio = bootstrap_ratio(first, second)
    assert ratio.low <= 2.0 <= ratio.high
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.high - ratio.low < 0.05  # pairing has taken the drift out
    assert bootstrap_ratio(first, second) == ratio


@pytest.mark.parametrize("count", [2, 5, 8, 20])
def test_equal_files_differ_one_time_in_twenty(count: int) -> None:
    """Processes are some percent faster or slower for as long as they live, in steps."""
    rng = np.random.default_rng(0)
    layouts = rng.choice([-0.01, 0.0, 0.0, 0.01], (2000, count)) + rng.normal(
        0, 0.003, (2000, count)
    )
    ratios = [student_ratio(np.exp(row).tolist()) for row in layouts]
    missed = np.mean([not ratio.low <= 1 <= ratio.high for ratio in ratios])
    assert 0.03 < missed < 0.07
    assert all(ratio.low <= ratio.value <= ratio.high for ratio in ratios)


@pytest.mark.parametrize("degrees", [1, 2, 3, 8, 15, 99])
@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.99, 0.9998])
def test_quantiles_are_those_of_scipy(confidence: float, degrees: int) -> None:
    expected = stats.t.ppf((1 + confidence) / 2, degrees)
    assert student_quantile(confidence, degrees) == pytest.approx(expected, rel=1e-8)


def test_a_disturbed_pair_does_not_hide_a_difference() -> None:
    slower = np.exp(0.05 + np.random.default_rng(0).normal(0, 0.005, 8))
    disturbed = [*slower[:-1].tolist(), 1.5]
    assert student_ratio(disturbed, 0.99).low > 1.03
    assert student_ratio(disturbed[-4:], 0.99).low < 1  # of four, none can be left out


def test_blocks_of_one_pair_of_processes_are_one_observation() -> None:
    """What all blocks of a pair share is not counted as often as there are blocks."""
    rng = np.random.default_rng(0)
    pairs = np.repeat(rng.normal(0, 0.01, (500, 8, 1)), 4, axis=2)
    blocks = np.exp(pairs + rng.normal(0, 0.002, pairs.shape))
    naive = [bootstrap_ratio(row.ravel(), np.ones(row.size), 200) for row in blocks]
    ours = [student_ratio(np.median(row, axis=1).tolist()) for row in blocks]
    missed = [
        np.mean([not ratio.low <= 1 <= ratio.high for ratio in each]) for each in (naive, ours)
    ]
    assert missed[0] > 0.2
    assert missed[1] < 0.07
