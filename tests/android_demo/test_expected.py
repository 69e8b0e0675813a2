"""The expected values of the app's tests are those that Python computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.fixtures import FIXTURES
from tests.fixtures.android import write_expected


def stored(name: str) -> dict[str, NDArray[Any]]:
    with np.load(write_expected.EXPECTED / f"{name}.npz") as arrays:
        return dict(arrays)


def require_same_json(name: str, value: object) -> None:
    assert json.loads((FIXTURES / name).read_text()) == json.loads(json.dumps(value))


def test_there_are_images_and_models() -> None:
    assert len(write_expected.image_paths()) >= 30
    assert len(write_expected.model_paths()) >= 4
    assert sorted(path.stem for path in write_expected.EXPECTED.iterdir()) == sorted(
        ["color", *(path.stem for path in write_expected.model_paths())]
    )


@pytest.mark.parametrize("model", write_expected.model_paths(), ids=lambda path: path.stem)
def test_tensors_and_probabilities(model: Path) -> None:
    was, now = stored(model.stem), write_expected.compute(model)
    assert was.keys() == now.keys()
    for name in was.keys() - {"probabilities", "output"}:
        np.testing.assert_array_equal(was[name], now[name])
    # XNNPACK's float kernels sum in another order on another CPU; integers differ by one step.
    tolerance = max(1e-4, write_expected.properties(model)["output"]["scale"])
    np.testing.assert_allclose(was["probabilities"], now["probabilities"], atol=tolerance, rtol=0)
    np.testing.assert_array_equal(*(a["probabilities"].argmax(1) for a in (was, now)))


def test_color_preprocessing() -> None:
    was, now = stored("color"), write_expected.compute_color()
    for name in ("pixels", "tensor"):
        np.testing.assert_array_equal(was[name], now[name])


def test_files_with_integer_input_and_output() -> None:
    (source,) = write_expected.MODELS.glob("lenet5_*_static_wi8_ai8.tflite")
    floats = stored(source.stem)["probabilities"]
    for dtype in ("int8", "uint8"):
        model = write_expected.INTEGERS / f"lenet5_{dtype}.tflite"
        assert model.read_bytes() == write_expected.with_integer_input_and_output(
            source.read_bytes(), dtype
        )
        integers = stored(model.stem)
        assert integers["tensor"].dtype == integers["output"].dtype == dtype
        # Softmax in int8 rounds to steps of 1/256 and reads its exponentials from a table.
        assert abs(integers["probabilities"] - floats).max() <= 2 / 256


def test_properties_of_models() -> None:
    require_same_json("models.json", write_expected.models())


def test_statistics_and_keys() -> None:
    require_same_json("percentiles.json", write_expected.percentiles())
    require_same_json("top_k.json", write_expected.top_k())
    require_same_json("quantization.json", write_expected.quantization())
    require_same_json("digests.json", write_expected.digests())
    require_same_json("record_keys.json", write_expected.record_keys())
