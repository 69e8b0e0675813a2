from __future__ import annotations

import json

import numpy as np
import pytest

from export.choice.rule import Limits, Tried, best, best_in, from_json, to_json


def tried(name: str, ms: float, kb: float, wrong: int = 0, **changes: object) -> Tried:
    measured = {
        "size_bytes": round(1000 * kb),
        "drop_points": 100 * wrong / 1000,
        "divergence": wrong / 1000,
        "correct": np.arange(1000) >= wrong,
        "latencies_ms": (ms,),
    }
    return Tried(name=name, **(measured | changes))  # type: ignore[arg-type]


FILES = [
    tried("float32", 4.0, 400),
    tried("int8", 1.0, 100, wrong=20),
    tried("int4", 2.0, 50, wrong=60),
    tried("refused", 0.1, 10, reasons=("loses 50.00 points of accuracy",)),
]


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (Limits(max_ms=5), "float32"),
        (Limits(max_kb=200), "int8"),
        (Limits(max_drop=3), "int8"),  # the fastest
        (Limits(max_ms=5, max_kb=60), "int4"),
        (Limits(max_drop=10, max_kb=500), "int8"),  # the fastest
        (Limits(max_drop=10, max_ms=5), "int4"),  # the smallest
        (Limits(max_ms=5, max_kb=500, max_drop=10), "float32"),  # the most accurate
        (Limits(max_ms=1.5, max_kb=60), None),
        (Limits(max_ms=0.5), None),  # what is refused is not chosen
    ],
)
def test_the_first_quantity_without_a_limit_decides(limits: Limits, expected: str | None) -> None:
    chosen = best(FILES, limits)
    assert (chosen and chosen.name) == expected


def test_differences_within_the_noise_do_not_decide() -> None:
    fast, small = tried("fast", 1.00, 100), tried("small", 1.04, 50)
    assert best([fast, small], Limits(max_drop=1)) == small
    assert best([fast, tried("slow", 1.06, 50)], Limits(max_drop=1)) == fast
    # Four of 1000 images are lost by chance in one of sixteen trials.
    assert best([tried("a", 2, 9), tried("b", 1, 9, wrong=4)], Limits(max_kb=10)).name == "b"  # type: ignore[union-attr]
    assert best([tried("a", 2, 9), tried("b", 1, 9, wrong=5)], Limits(max_kb=10)).name == "a"  # type: ignore[union-attr]


def test_the_files_that_are_left_are_equal_in_each_quantity() -> None:
    files = [tried("a", 1.0, 100), tried("b", 1.04, 100.5), tried("c", 1.01, 102)]
    assert [file.name for file in best_in(files, ["latency", "size"])] == ["a", "b"]
    assert best_in([], ["latency"]) == []


def test_the_excess_is_in_the_units_of_the_limits() -> None:
    excess = Limits(max_ms=1.5, max_kb=300, max_drop=0).excess(FILES[1])
    assert excess == {"accuracy": 2.0}
    assert Limits(max_ms=1.5).excess(FILES[0]) == {"latency": 2.5}


def test_a_file_comes_back_from_json() -> None:
    file = tried("a", 1, 2, wrong=3, types=("int8", "int4"), delegated=(1, 2, 3))
    again = from_json(json.loads(json.dumps(to_json(file))), 1000)
    assert again.correct is not None
    assert np.array_equal(again.correct, file.correct)  # type: ignore[arg-type]
    assert to_json(again) == to_json(file)
