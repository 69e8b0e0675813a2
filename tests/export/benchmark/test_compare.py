from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.compare import (
    Ratio,
    bootstrap,
    compare,
    conclude,
    student,
    take_turns,
)
from export.benchmark.runner import Block, Spec
from export.studies.agreement import claims
from export.tflite.interpreter import ModelFileError

File = Callable[[str], Path]


def test_interval_holds_the_true_ratio_and_is_reproducible() -> None:
    rng = np.random.default_rng(0)
    drift = rng.uniform(1.0, 3.0, 40)  # the machine's load, which hits both files of a pair
    first = (2.0 * drift * rng.normal(1.0, 0.01, 40)).tolist()
    second = (drift * rng.normal(1.0, 0.01, 40)).tolist()
    ratio = bootstrap(first, second)
    assert ratio.low <= 2.0 <= ratio.high
    assert ratio.low <= ratio.value <= ratio.high
    assert ratio.high - ratio.low < 0.05  # pairing has taken the drift out
    assert bootstrap(first, second) == ratio


@pytest.mark.parametrize("count", [2, 5, 8, 20])
def test_equal_files_differ_one_time_in_twenty(count: int) -> None:
    """Processes are some percent faster or slower for as long as they live, in steps."""
    rng = np.random.default_rng(0)
    layouts = rng.choice([-0.01, 0.0, 0.0, 0.01], (2000, count)) + rng.normal(
        0, 0.003, (2000, count)
    )
    ratios = [student(np.exp(row).tolist()) for row in layouts]
    missed = np.mean([not ratio.low <= 1 <= ratio.high for ratio in ratios])
    assert 0.03 < missed < 0.07
    assert all(ratio.low <= ratio.value <= ratio.high for ratio in ratios)


def test_blocks_of_one_pair_of_processes_are_one_observation() -> None:
    """What all blocks of a pair share is not counted as often as there are blocks."""
    rng = np.random.default_rng(0)
    pairs = np.repeat(rng.normal(0, 0.01, (500, 8, 1)), 4, axis=2)
    blocks = np.exp(pairs + rng.normal(0, 0.002, pairs.shape))
    naive = [bootstrap(row.ravel(), np.ones(row.size), 200) for row in blocks]
    ours = [student(np.median(row, axis=1).tolist()) for row in blocks]
    missed = [
        np.mean([not ratio.low <= 1 <= ratio.high for ratio in each]) for each in (naive, ours)
    ]
    assert missed[0] > 0.2
    assert missed[1] < 0.07


def test_order_changes_from_pair_to_pair() -> None:
    calls: list[str] = []

    def measurement(name: str) -> Callable[[], float]:
        def call() -> float:
            calls.append(name)
            return float(len(calls))

        return call

    assert take_turns(measurement("a"), measurement("b"), 3) == ([1, 4, 5], [2, 3, 6])
    assert "".join(calls) == "abbaab"


@pytest.mark.parametrize(
    ("ratio", "verdict"),
    [
        (Ratio(0.5, 0.4, 0.6), "it is faster."),
        (Ratio(2.0, 1.9, 2.1), "it is slower."),
        (Ratio(1.01, 0.99, 1.02), "the difference is within the noise."),
    ],
)
def test_conclusion(ratio: Ratio, verdict: str) -> None:
    assert conclude("a", "b", ratio).endswith(verdict)


def test_two_files_in_turns(file: File) -> None:
    spec = Spec(str(file("float32")), warmup_secs=0.0)
    block = Block(num_runs=100, min_secs=0.05)
    found = compare(spec, spec._replace(file=str(file("int16"))), block, num_processes=2)
    assert found.row.dtype == "float32"
    assert found.versus.activation_dtype == "int16"
    assert min(found.row.num_runs, found.versus.num_runs) >= 100
    assert found.ratio.low <= found.ratio.value <= found.ratio.high


def test_bad_second_file(file: File) -> None:
    spec = Spec(str(file("float32")), warmup_secs=0.0)
    with pytest.raises(ModelFileError, match="truncated"):
        compare(spec, spec._replace(file=str(file("truncated"))), Block())


def test_agreement_is_judged_by_the_tools_own_noise() -> None:
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(1.0, 0.01, (2, 10)).tolist()
    slower = [latency + 0.1 for latency in theirs]
    assert [claim.holds for claim in claims(ours, theirs, 0.0)] == [True, True]
    assert [claim.holds for claim in claims(ours, slower, 0.1)] == [True, False]
    assert [claim.holds for claim in claims(ours, slower, 0.0)] == [False, False]
