from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.comparison.rounds import (
    Repetitions,
    interleave,
    start_order,
    time_round,
    time_rounds,
)
from export.benchmark.runner import LoadOptions, TimingOptions

File = Callable[[str], Path]
TIMING = TimingOptions(num_runs=20, min_secs=0.01)


def test_the_order_changes_and_a_drift_cancels() -> None:
    calls: list[int] = []

    def measurement(which: int) -> Callable[[], float]:
        def call() -> float:
            calls.append(which)
            return float(len(calls))

        return call

    found = interleave([measurement(which) for which in range(3)], 8)
    assert np.shape(found) == (3, 8)
    assert len(set(np.sum(found, axis=1))) == 1  # a steady drift is the same for all
    orders = np.reshape(calls, (8, 3)).tolist()
    assert all(sorted(order) == [0, 1, 2] for order in orders)
    assert orders[1::2] == [order[::-1] for order in orders[::2]]
    assert len(set(map(tuple, orders))) > 2


# Equal latencies may have an interval without width, which is not below -1.
@pytest.mark.parametrize(("precision", "number"), [(100.0, 2), (-1.0, 3)])
def test_rounds_end_when_the_interval_is_narrow_enough(
    precision: float, number: int, file: File
) -> None:
    load = LoadOptions(str(file("int8")), warmup_secs=0.01)
    advanced: list[int] = []
    repetitions = Repetitions(processes=2, max_processes=3, precision=precision, confidence=0.5)
    found = time_rounds([load, load], TIMING, repetitions, lambda: advanced.append(1))
    assert found.number == len(advanced) == number
    assert found.rows[0].num_runs >= 20
    assert found.warmups[0]["secs"] >= 0.01 * number / 2
    assert list(found.ratios) == [(0, 1)]


@pytest.mark.parametrize("count", [2, 3])
def test_each_file_starts_equally_often_at_each_place(count: int) -> None:
    orders = [start_order(count, seed) for seed in range(count)]
    assert all(sorted(places) == list(range(count)) for places in zip(*orders, strict=True))


def test_a_round_has_the_order_of_the_files(file: File) -> None:
    """In the second round, the second file starts first."""
    loads = [LoadOptions(str(file(name)), warmup_secs=0.0) for name in ("int8", "float32")]
    found = time_round(loads, TIMING, num_blocks=1, seed=1)
    assert [row.file for row in found.rows] == [load.file for load in loads]
