from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from export.benchmark.comparison.compare import compare, compare_all, conclude, verdict
from export.benchmark.comparison.latency_ratio import Ratio
from export.benchmark.comparison.rounds import Repetitions
from export.benchmark.runner import LoadOptions, TimingOptions
from export.tflite.interpreter import ModelFileError

File = Callable[[str], Path]
TIMING = TimingOptions(num_runs=100, min_secs=0.05)
TWICE = Repetitions(processes=2, max_processes=2)


@pytest.mark.parametrize(
    ("ratio", "said", "sentence_end"),
    [
        (Ratio(0.5, 0.4, 0.6, 0.99), "faster", "(99 % interval 0.400 to 0.600): it is faster."),
        (Ratio(2.0, 1.9, 2.1), "slower", "(95 % interval 1.900 to 2.100): it is slower."),
        (Ratio(1.02, 0.99, 1.05), "no difference shown", ": no difference shown."),
        (
            Ratio(1.006, 1.004, 1.008),
            "no difference shown",
            ": no difference shown (less than 1 %).",
        ),
        (
            Ratio(0.995, 0.994, 0.996),
            "no difference shown",
            ": no difference shown (less than 1 %).",
        ),
    ],
)
def test_conclusion(ratio: Ratio, said: str, sentence_end: str) -> None:
    assert verdict(ratio, 0.01) == said
    assert conclude("a", "b", ratio, 0.01).endswith(sentence_end)


def test_two_files_in_turns(file: File) -> None:
    load = LoadOptions(str(file("float32")), warmup_secs=0.0)
    found = compare(load, load._replace(file=str(file("int16"))), TIMING, TWICE)
    assert found.row.dtype == "float32"
    assert found.other.activation_dtype == "int16"
    assert min(found.row.num_runs, found.other.num_runs) >= 100
    assert found.ratio.low <= found.ratio.value <= found.ratio.high
    assert found.processes == 2


def test_each_two_of_three_files_are_compared(file: File) -> None:
    """The verdicts hold together, so that each interval is wider."""
    loads = [LoadOptions(str(file(name)), warmup_secs=0.0) for name in ("int16", "int8", "float32")]
    found = compare_all(loads, TIMING, TWICE)
    assert [row.file for row in found.rows] == [load.file for load in loads]
    assert list(found.pairs) == [(0, 1), (0, 2), (1, 2)]
    for (first, second), pair in found.pairs.items():
        assert (pair.row.file, pair.other.file) == (loads[first].file, loads[second].file)
        assert pair.ratio.confidence == pytest.approx(1 - 0.01 / 3)
        assert pair.verdict == verdict(pair.ratio, 0.01)
    # By reference kernels. Two processes do not always show it with so much confidence.
    assert min(found.pairs[0, 1].ratio.value, found.pairs[0, 2].ratio.value) > 1


def test_bad_second_file(file: File) -> None:
    load = LoadOptions(str(file("float32")), warmup_secs=0.0)
    with pytest.raises(ModelFileError, match="truncated"):
        compare(load, load._replace(file=str(file("truncated"))), TimingOptions())
