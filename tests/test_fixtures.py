"""The fixtures of the Android app are what Python computes today."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fixtures import write


def committed(name: str) -> dict[str, NDArray[Any]]:
    with np.load(write.EXPECTED / f"{name}.npz") as arrays:
        return dict(arrays)


def same_json(name: str, value: object) -> None:
    assert json.loads((write.HERE / name).read_text()) == json.loads(json.dumps(value))


def test_there_are_pictures_and_models() -> None:
    assert len(write.image_paths()) >= 30
    assert len(write.model_paths()) >= 4
    assert sorted(path.stem for path in write.EXPECTED.iterdir()) == sorted(
        ["color", *(path.stem for path in write.model_paths())]
    )


@pytest.mark.parametrize("model", write.model_paths(), ids=lambda path: path.stem)
def test_models_see_and_say_what_they_did(model: Path) -> None:
    was, now = committed(model.stem), write.expected(model)
    for name in ("pixels", "tensor"):
        np.testing.assert_array_equal(was[name], now[name])
    # XNNPACK's float kernels add in another order on another CPU; integers move by a step.
    tolerance = max(1e-4, write.facts(model)["output"]["scale"])
    np.testing.assert_allclose(was["probabilities"], now["probabilities"], atol=tolerance, rtol=0)
    np.testing.assert_array_equal(*(a["probabilities"].argmax(1) for a in (was, now)))


def test_colors() -> None:
    was, now = committed("color"), write.expected_color()
    for name in ("pixels", "tensor"):
        np.testing.assert_array_equal(was[name], now[name])


def test_integer_ends_are_those_of_the_app_s_model() -> None:
    (source,) = write.MODELS.glob("lenet5_*_static_wi8_ai8.tflite")
    floats = committed(source.stem)["probabilities"]
    for dtype in ("int8", "uint8"):
        model = write.INTEGERS / f"lenet5_{dtype}.tflite"
        assert model.read_bytes() == write.with_integer_ends(source.read_bytes(), dtype)
        integers = committed(model.stem)
        assert integers["tensor"].dtype == integers["output"].dtype == dtype
        # Softmax in int8 rounds to a step of 1/256 and looks its exponentials up in a table.
        assert abs(integers["probabilities"] - floats).max() <= 2 / 256


def test_models_say_of_themselves_what_they_did() -> None:
    same_json("models.json", write.models())


def test_numbers_and_keys() -> None:
    same_json("percentiles.json", write.percentiles())
    same_json("top_k.json", write.top_k())
    same_json("quantization.json", write.quantization())
    same_json("record_keys.json", write.record_keys())
