"""Models trained in another precision than float32."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_keras.errors import Error
from cnn_keras.model_files.keras_file import load_model
from cnn_keras.model_files.precision import in_float32
from tests.fixtures.external_models import pixels, saved

POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "float64")
IMAGES = pixels().astype(np.float32) / 255


@pytest.fixture(params=POLICIES)
def policy(request: pytest.FixtureRequest) -> Iterator[str]:
    """Set for all layers that are made meanwhile."""
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy("float32")


@keras.saving.register_keras_serializable("tests")
class Scaled(layers.Layer):  # type: ignore[misc]
    """A custom layer with a weight and a number."""

    def __init__(self, by: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.by = by

    def build(self, shape: Any) -> None:
        self.offset = self.add_weight(shape=shape[-1:], initializer="ones", name="offset")

    def call(self, x: Any) -> Any:
        return x * self.by + self.offset

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"by": self.by}


def functional() -> keras.Model:
    """A model in a model, a cast, a normalization and a last layer in float32."""
    image = layers.Input((8, 8, 3))
    x = layers.Normalization(mean=[0.1, 0.2, 0.3], variance=[1, 2, 3])(image)
    x = keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()])(x)
    x = layers.Flatten()(ops.cast(ops.relu(x) * 2, "float16"))
    return keras.Model(image, layers.Dense(3, "softmax", dtype="float32")(x))


def sequential() -> keras.Model:
    body = [layers.SeparableConv2D(4, 3), Scaled(0.5), layers.Flatten(), layers.Dense(3)]
    return keras.Sequential([layers.Input((8, 8, 3)), *body, layers.Activation("softmax")])


@pytest.mark.parametrize("build", [functional, sequential])
def test_a_model_is_rebuilt_in_float32_with_the_same_weights(
    build: Any, policy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keras.utils.set_random_seed(0)
    model = build()
    keras.config.set_dtype_policy("float32")
    file = saved(model, tmp_path / "a.keras")
    found = load_model(file)
    (line,) = capsys.readouterr().err.splitlines()
    assert policy in line
    assert "in float32 with the same weights, scores for noise differ by up to " in line
    assert {layer.dtype_policy.name for layer in found._flatten_layers()} == {"float32"}
    for old, new in zip(model.get_weights(), found.get_weights(), strict=True):
        assert new.dtype == np.float32
        np.testing.assert_array_equal(old.astype(np.float32), new)
    scores = np.asarray(found(IMAGES))
    assert scores.dtype == np.float32
    # bfloat16 has 8 significant bits
    expected = np.asarray(ops.cast(model(IMAGES), "float32"))
    np.testing.assert_allclose(scores, expected, atol=0.02 if "bfloat16" in policy else 2e-3)
    assert in_float32(found) is found
    assert capsys.readouterr().err == ""


def test_a_training_resumes_in_its_own_precision(tmp_path: Path) -> None:
    image = layers.Input((4,))
    model = keras.Model(image, layers.Dense(2, dtype="mixed_float16")(image))
    model.compile("sgd", "mse")
    found = load_model(saved(model, tmp_path / "last.keras"), compiled=True)
    assert found.layers[-1].dtype_policy.name == "mixed_float16"


def test_a_model_that_cannot_be_rebuilt_is_reported_in_one_line(tmp_path: Path) -> None:
    class Half(Scaled):
        """A layer that knows no other precision."""

        def __init__(self, dtype: Any, **kwargs: Any) -> None:
            if keras.dtype_policies.get(dtype).name != "float16":
                raise ValueError("halves only")
            super().__init__(dtype=dtype, **kwargs)

    model = keras.Sequential([layers.Input((8, 8, 3)), Half("float16", by=1), layers.Flatten()])
    with (
        keras.saving.custom_object_scope({"Half": Half}),
        pytest.raises(Error, match=r"computes in float16 and cannot be rebuilt[^\n]*\.$"),
    ):
        in_float32(model)


def test_a_model_that_keras_quantized_is_refused(tmp_path: Path) -> None:
    inner = keras.Sequential([layers.Input((4,)), layers.Dense(2, name="scores")])
    model = keras.Sequential([layers.Input((4,)), inner])
    model.quantize("int4", filters="scores")
    with pytest.raises(Error, match=r"^Layer 'scores' .* model\.quantize\('int4'\)[^\n]*$"):
        load_model(saved(model, tmp_path / "quantized.keras"))
