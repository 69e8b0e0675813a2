from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from export.benchmark.comparison.compare import compare, conclude, interleave
from export.benchmark.comparison.latency_ratio import Ratio
from export.benchmark.runner import LoadOptions, TimingOptions
from export.tflite.interpreter import ModelFileError

File = Callable[[str], Path]


def test_order_changes_from_pair_to_pair() -> None:
    calls: list[str] = []

    def measurement(name: str) -> Callable[[], float]:
        def call() -> float:
            calls.append(name)
            return float(len(calls))

        return call

    assert interleave(measurement("a"), measurement("b"), 3) == ([1, 4, 5], [2, 3, 6])
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
    load = LoadOptions(str(file("float32")), warmup_secs=0.0)
    timing = TimingOptions(num_runs=100, min_secs=0.05)
    found = compare(load, load._replace(file=str(file("int16"))), timing, num_processes=2)
    assert found.row.dtype == "float32"
    assert found.other.activation_dtype == "int16"
    assert min(found.row.num_runs, found.other.num_runs) >= 100
    assert found.ratio.low <= found.ratio.value <= found.ratio.high


def test_bad_second_file(file: File) -> None:
    load = LoadOptions(str(file("float32")), warmup_secs=0.0)
    with pytest.raises(ModelFileError, match="truncated"):
        compare(load, load._replace(file=str(file("truncated"))), TimingOptions())
