from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.compare import Ratio, bootstrap, compare, conclude, take_turns
from export.benchmark.runner import Block, Spec
from export.interpreter import ModelFileError
from export.studies.agreement import claims

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
    found = compare(spec, spec._replace(file=str(file("int16"))), block, num_pairs=5)
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
