from __future__ import annotations

from typing import Any

import pytest

from export.benchmark.profile.results import Grouping, bound_ms, conclusion, grouped


def test_calls_are_subtracted_but_for_one(profile: dict[str, Any]) -> None:
    found = profile
    assert [row["ms"] for row in found["operations"]] == pytest.approx([0.2, 0.4, 0.1])
    assert found["sum_ms"] == pytest.approx(0.72)
    assert found["alone_sum_ms"] == pytest.approx(0.31)
    assert found["calls_ms"] == pytest.approx(0.04)
    assert found["peak_gmac_s"]["int8"] == pytest.approx(28**2 * 128**2 / 0.1 / 1e6)
    assert list(found["bandwidth_gb_s"].values()) == pytest.approx([10.0] * 7)
    assert "take 0.72 ms together, 102.9% of the whole file's 0.7 ms" in conclusion(found)


def test_what_the_difference_is_made_of(profile: dict[str, Any]) -> None:
    assert profile["fusion_ms"] == pytest.approx(0.05 + 0.11 - 0.1)
    text = conclusion(profile)
    assert "Each alone, with its data in the nearest caches, they take 0.31 ms." in text
    assert "0.04 ms of calls of single operations (20 µs each) are subtracted." in text
    assert "XNNPACK fuses PAD + CONV_2D" in text
    assert "saves 0.06 ms" in text
    assert "difference from the whole file is that of the caches" in text
    assert "rest of 0.08 ms is what XNNPACK loses" in conclusion(profile | {"whole_ms": 0.8})
    assert "takes 0.01 ms less, which neither" in conclusion(profile | {"whole_ms": 0.3})
    separate = [{**row, "fused": []} for row in profile["operations"]]
    assert "fuses" not in conclusion(profile | {"operations": separate})


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("row", ["3b", "3a", "logits"]),
        ("op", ["CONV_2D", "SOFTMAX"]),
        ("stage", ["3", "logits"]),
    ],
)
def test_groups_are_sorted_by_time(by: Grouping, names: list[str], profile: dict[str, Any]) -> None:
    groups = grouped(profile, by)
    assert [group.name for group in groups] == names
    assert sum(group.share for group in groups) == pytest.approx(1)
    assert sum(group.macs for group in groups) == 4 * 10**6
    assert groups[-1].gmac_s is None
    assert groups[0].gmac_s == pytest.approx(groups[0].macs / groups[0].ms / 1e6)


def test_the_roofline_is_the_slower_of_arithmetic_and_memory() -> None:
    peaks, bandwidth = {"float32": 100.0, "int8": 400.0}, {"1000": 50.0, "1000000": 10.0}
    assert bound_ms(10**8, 1000, "float32", peaks, bandwidth) == pytest.approx(1.0)
    assert bound_ms(10**8, 1000, "int8", peaks, bandwidth) == pytest.approx(0.25)
    assert bound_ms(0, 10**7, None, peaks, bandwidth) == pytest.approx(1.0)
    assert bound_ms(0, 1000, None, peaks, bandwidth) == pytest.approx(1000 / 50 / 1e6)
