from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from keras.applications import imagenet_utils

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import UsageError
from cnn_keras.weights.model_import import import_model
from cnn_keras.weights.normalization import (
    expects_uint8_range,
    infer_normalization,
    rescaled_range,
)
from cnn_keras.weights.source_options import SourceOptions
from tests.fixtures.external_models import pixels, rgb, saved


@pytest.mark.parametrize("mode", ["caffe", "torch", "tf"])
def test_a_normalization_is_inferred_from_a_function(mode: str) -> None:
    found = infer_normalization(preprocess := partial(imagenet_utils.preprocess_input, mode=mode))
    ours = Preprocessing(8, 8, 3, found.mean, found.std)(pixels())
    ours = ours[..., ::-1] if found.is_bgr else ours
    np.testing.assert_allclose(ours, preprocess(pixels().astype(np.float32)), atol=1e-4)
    assert found.is_bgr == (mode == "caffe")


@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: [x]])
def test_red_and_blue_are_swapped_as_in_caffe(wrap: Any, tmp_path: Path) -> None:
    model = rgb()
    wrapped = keras.Model(wrap(model.inputs[0]), wrap(model.outputs[0]))
    options = SourceOptions(data="photographs", preprocessing="caffe")
    run, _ = import_model(saved(wrapped, tmp_path / "a.keras"), options, tmp_path / "runs")
    expected = model(imagenet_utils.preprocess_input(pixels().astype(np.float32), mode="caffe"))
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-5)


def test_pixels_are_scaled_to_a_range(tmp_path: Path) -> None:
    file = saved(model := rgb(), tmp_path / "a.keras")
    run, _ = import_model(
        file, SourceOptions(data="photographs", pixel_range=(-1, 3)), tmp_path / "runs"
    )
    expected = model(pixels().astype(np.float32) / 255 * 4 - 1)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)


FLIPS = keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])


IMAGENET = {"mean": [123.7, 116.3, 103.5], "variance": [58.4**2, 57.1**2, 57.4**2]}


def adapted(scale: float, shift: float = 0) -> layers.Normalization:
    """Normalization by the statistics of pixels that were scaled before."""
    layer = layers.Normalization()
    layer.adapt(pixels().astype(np.float32) * scale + shift)
    return layer


def in_front(first: list[keras.Layer]) -> keras.Sequential:
    rest = [layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(3, "softmax")]
    return keras.Sequential([layers.Input((8, 8, 3)), *first, *rest])


@pytest.mark.parametrize(
    ("first", "ends"),
    [
        ([layers.Rescaling(1 / 255)], (0, 1)),
        ([layers.Rescaling(1 / 127.5, -1)], (-1, 1)),
        ([layers.Rescaling(-1 / 255, 1)], (0, 1)),
        ([layers.Rescaling(1, -128)], (-128, 127)),
        ([layers.Rescaling(1.0, [-123.68, -116.78, -103.94])], (-123.68, 151.06)),
        ([layers.RandomFlip(), layers.Normalization(**IMAGENET)], (-2.118, 2.640)),
        ([layers.Normalization(mean=33, variance=79**2)], (-0.418, 2.810)),
        ([adapted(1)], None),
        ([FLIPS, layers.Resizing(8, 8), layers.Rescaling(1 / 255)], (0, 1)),
        ([keras.Sequential([FLIPS, layers.Rescaling(1 / 255), layers.Conv2D(3, 1)])], (0, 1)),
        ([layers.Rescaling(1 / 255), layers.Normalization(mean=0.5, variance=0.04)], (-2.5, 2.5)),
        (
            [layers.CenterCrop(6, 6), layers.Rescaling(1 / 128, -1), layers.BatchNormalization()],
            None,
        ),
    ],
)
def test_a_model_may_rescale_pixels_by_itself(
    first: list[keras.Layer], ends: tuple[float, float] | None
) -> None:
    found = rescaled_range(in_front(first))
    assert found is not None
    assert expects_uint8_range(found)
    if ends:
        assert (found.min(), found.max()) == pytest.approx(ends, abs=2e-3)


@pytest.mark.parametrize(
    "first",
    [
        [layers.Rescaling(2, -1)],  # for pixels from 0 to 1
        [adapted(1 / 255)],
        [adapted(1 / 127.5, -1)],
        [layers.Normalization(mean=[0.4, 0.4, 0.4], variance=[0.25, 0.25, 0.25])],
        [layers.Normalization(mean=0.0, variance=1.0)],  # for -1 to 1
        [layers.Normalization(mean=-0.1, variance=0.4)],
        [layers.Rescaling(1 / 16)],  # for scikit-learn's digits
        [layers.Normalization(mean=4.9, variance=36)],
        [layers.Rescaling(1 / 65535)],  # for 16 bits
        [layers.Rescaling(1.0)],  # says nothing
        [keras.Sequential([FLIPS, layers.Rescaling(2, -1)])],
        [layers.Rescaling(1 / 255), layers.Rescaling(255)],
    ],
)
def test_a_model_that_rescales_other_pixels_needs_their_range(
    first: list[keras.Layer], tmp_path: Path
) -> None:
    file = saved(in_front(first), tmp_path / "a.keras")
    options = SourceOptions(data="photographs")
    with pytest.raises(UsageError, match=r"its own rescaling maps 0 to 255 to .*\. Give"):
        import_model(file, options, tmp_path / "runs")
    if len(first) > 1:
        run, _ = import_model(file, replace(options, pixel_range=(0, 255)), tmp_path / "runs")
        assert run.preprocessing.range == (0, 255)


@pytest.mark.parametrize(
    ("options", "twice"),
    [
        ({"pixel_range": (0, 1)}, True),
        ({"pixel_range": (-1, 1)}, True),
        ({"preprocessing": "tf"}, True),
        ({"preprocessing": "caffe"}, True),
        ({"pixel_range": (0, 255)}, False),
        ({}, False),
    ],
)
def test_pixels_that_are_rescaled_twice_are_reported(
    options: dict[str, Any], twice: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = saved(in_front([layers.Rescaling(1 / 255)]), tmp_path / "a.keras")
    run, _ = import_model(file, SourceOptions(data="photographs", **options), tmp_path / "runs")
    text = "rescales pixels of 0 to 255 by itself"
    assert [text in remark for remark in run.config["remarks"]] == [True] * twice
    assert (text in capsys.readouterr().err) == twice


@pytest.mark.parametrize(
    "first",
    [[layers.Conv2D(3, 1), layers.Rescaling(1 / 255)], [layers.BatchNormalization()], []],
)
def test_a_model_that_does_not_rescale_first_has_no_range(first: list[keras.Layer]) -> None:
    assert rescaled_range(in_front(first)) is None


@pytest.mark.parametrize("cast", [True, False])
def test_functions_cannot_be_inspected(cast: bool) -> None:
    image = layers.Input((8, 8, 3))
    x = ops.cast(image, "float32") if cast else image / 255 - 0.5
    x = layers.Flatten()(layers.Rescaling(1 / 255)(x))
    found = rescaled_range(keras.Model(image, layers.Dense(3, "softmax")(x)))
    assert (found is not None) == cast
