from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.identity import (
    DECAYS,
    Responses,
    Stack,
    response_claims,
    stack_claims,
)


def stacks(
    ends: dict[str, tuple[list[float], list[float]]],
    distances: dict[str, float],
    peaks: float = 0.1,
) -> list[Stack]:
    return [
        Stack(form, layers, decay, [[1.0, e] for e in end], end, [distances[form]] * 3, [peaks] * 3)
        for decay in DECAYS
        for index, layers in enumerate((2, 16))
        for form, end in ((form, ends[form][index]) for form in ends)
    ]


def test_claims_about_stacks_are_of_differences() -> None:
    ends = {
        "plain": ([0.10, 0.11, 0.12], [0.20, 0.22, 0.23]),
        "residual": ([0.01, 0.01, 0.02], [0.011, 0.012, 0.019]),
    }
    found = stack_claims(stacks(ends, {"plain": 1.4, "residual": 0.2}))
    assert [claim.holds for claim in found] == [True] * 12 + [True, False]
    assert found[0].value == pytest.approx((0.10 + 0.11 + 0.11) / 3)
    assert found[2].value == pytest.approx((0.09 + 0.10 + 0.10) / 3)
    assert [claim.value for claim in found[3:6]] == pytest.approx([1.4, 0.1, 0.2])
    swapped = {"plain": ends["residual"], "residual": ends["plain"]}
    found = stack_claims(stacks(swapped, {"plain": 0.2, "residual": 1.4}, peaks=0.9))
    assert [claim.holds for claim in found[:6]] == [False] * 6


def responses(network: str, deviation: float, change: float) -> Responses:
    seeds = [0.99, 1.0, 1.01]
    return Responses(
        network,
        ["conv1", "conv2"],
        [[deviation * s, deviation * s] for s in seeds],
        ["conv2"],
        [[change * s] for s in seeds],
    )


def test_claims_about_networks_are_of_ratios() -> None:
    plain = [responses("plain20", 1.0, 1.2), responses("plain56", 1.1, 1.3)]
    residual = [responses("resnet20", 0.5, 0.6), responses("resnet56", 0.3, 0.9)]
    found = response_claims(plain, residual)
    assert [claim.value for claim in found] == pytest.approx(
        [0.5, 0.3 / 1.1, 0.5, 0.9 / 1.3, 0.6, 1.5]
    )
    assert [claim.holds for claim in found] == [True, True, True, True, True, False]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"depths": (56, 20)}, "--depths"),
        ({"layers": (2,)}, "--layers takes two or more ascending numbers"),
        ({"layers": (1, 2)}, "2, 4, 6"),
        ({"layers": (0, 2)}, "2, 4, 6"),
        ({"steps": 8}, "16, 32"),
        ({"steps": 0}, "16, 32"),
        ({"seeds": ()}, "different"),
    ],
)
def test_wrong_options_are_refused_before_any_training(
    options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        STUDIES["identity"](runs=tmp_path / "runs", **options)()
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_command_uses_cached_results(tmp_path: Path) -> None:
    command = STUDIES["identity"](
        data="digits",
        depths=(20, 32),
        layers=(2, 4),
        steps=32,
        seeds=(0, 1),
        train_images=320,
        epochs=2,
        batch_size=32,
        runs=tmp_path / "runs",
        out=tmp_path,
    )
    first = command().document
    assert (
        json.loads((tmp_path / "identity_resnet32_digits.json").read_text())["study"] == "identity"
    )
    assert len(first["stacks"]) == 2 * 2 * 2
    assert [len(errors) for errors in first["stacks"][0]["errors"]] == [2, 2]
    assert first["responses"]["plain"][1]["layers"][-1] == "conv4_5_b"
    drawing = (tmp_path / "identity_resnet32_digits.svg").read_text()
    assert all(label in drawing for label in ("plain, 4 layers", "resnet32", "decay 0.01"))
    files = list(tmp_path.glob("runs/*/findings/*.json"))
    assert len(files) == 2 * 8 + 2 * 4
    times = {path: path.stat().st_mtime_ns for path in files}
    assert command().document["claims"] == first["claims"]
    assert times == {path: path.stat().st_mtime_ns for path in files}
