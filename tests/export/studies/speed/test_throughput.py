from __future__ import annotations

import sys
from pathlib import Path

import pytest

from cnn_keras.errors import Error
from export.studies.speed.throughput import (
    OURS,
    PLANS,
    TORCH,
    Plan,
    Turns,
    claims,
    describe,
    row,
    throughput,
)

PLAN = Plan("resnet20", 16, 3, 10, 8, 2)
ROOT = Path(__file__).parents[4]


def turns(*fit: float) -> Turns:
    """Return turns of which 0.08 s of a step are computation and 0.01 s are input."""
    return Turns(list(fit), [0.08] * len(fit), [0.01] * len(fit), 500.0)


def test_a_row_compares_with_the_faster_layout_of_torch() -> None:
    found = row(
        PLAN,
        270_000,
        {OURS: turns(0.1, 0.11), TORCH[0]: turns(0.2, 0.22), TORCH[1]: turns(0.15, 0.165)},
    )
    assert found.faster_torch == TORCH[1]
    assert found.ratio == pytest.approx(1.5)
    assert found.interval == pytest.approx((1.5, 1.5))
    ours = found.sides[OURS]
    assert ours.rounds_images_per_s == pytest.approx([80, 8 / 0.11])
    assert ours.images_per_s == pytest.approx((80 + 8 / 0.11) / 2)
    expected = {"total": 105, "compute": 80, "input": 10, "overhead": 15}
    assert ours.ms_per_step == pytest.approx(expected)
    assert "compute 80.0, input 10.0, overhead 15.0" in describe(found)


@pytest.mark.parametrize(
    ("ours", "holds"),
    [((0.1, 0.1, 0.1), True), ((0.16, 0.1, 0.13), False), ((0.2, 0.2, 0.2), False)],
)
def test_a_claim_holds_if_the_whole_interval_is_at_least_one(
    ours: tuple[float, ...], holds: bool
) -> None:
    torch = turns(0.15, 0.15, 0.15)
    (claim,) = claims([row(PLAN, 1, {OURS: turns(*ours), **dict.fromkeys(TORCH, torch)})])
    assert claim.holds is holds
    assert claim.claim.startswith("resnet20 at 16×16, 8 images per step: ")


def test_the_cases_have_the_augmentation_and_the_optimizer_of_the_recipes() -> None:
    cases = {(plan.network, plan.image_size): plan.case for plan in PLANS}
    resnet20, googlenet = cases["resnet20", 32], cases["googlenet", 224]
    assert (resnet20.shift, resnet20.flip, resnet20.weight_decay) == (1 / 8, True, 1e-4)
    assert (googlenet.shift, googlenet.flip, googlenet.auxiliary_weight) == (0, True, 0.3)


def test_a_missing_torch_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"has no torch: name a Python .* --torch-python") as caught:
        throughput([PLAN], tmp_path)
    assert str(caught.value).startswith(sys.executable)
    with pytest.raises(Error, match=r"^/none/python does not exist: name a Python"):
        throughput([PLAN], tmp_path, torch_python=Path("/none/python"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_both_sides_are_timed_and_recorded(tmp_path: Path) -> None:
    python = ROOT / ".venv-torch" / "bin" / "python"  # made by `make test-slow`
    record = throughput([PLAN], tmp_path, rounds=2, torch_python=python)
    (found,) = record["rows"]
    assert found["parameters"] == 269_722
    assert set(found["sides"]) == {OURS, *TORCH}
    for side in found["sides"].values():
        assert len(side["rounds_images_per_s"]) == 2
        assert 0 < side["ms_per_step"]["input"] < side["ms_per_step"]["total"]
        assert 100 < side["peak_mib"] < 10_000
    assert {"torch", "tensorflow"} <= record["versions"].keys()
    assert "<svg" in (tmp_path / "throughput.svg").read_text("utf-8")
