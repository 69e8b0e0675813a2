from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cnn_keras.data.loading.evaluation_crops import image_crops
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error
from cnn_keras.training.predict import predict, predict_crops


def only_single_images(x: Any) -> Any:
    if x.shape[0] is not None and x.shape[0] > 1:
        raise ValueError("One image,\nplease.")
    return x


def never(x: Any) -> Any:
    import tensorflow as tf

    with tf.control_dependencies([tf.debugging.assert_less(x, -1e9, "Too bright.")]):
        return tf.identity(x)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (only_single_images, "Own: One image, please."),
        (never, "/own_1/assert_less/Assert/AssertGuard/Assert: assertion failed: [Too bright.]"),
    ],
    ids=["traced", "computed"],
)
def test_the_error_of_a_layer_is_one_line(function: Callable[[Any], Any], expected: str) -> None:
    class Own(layers.Layer):
        def call(self, x: Any) -> Any:
            return function(x)

    own, last = Own(name="own"), layers.Dense(3)
    model = keras.Sequential([layers.Input((4, 4, 1)), own, layers.Flatten(), last], name="mine")
    pixels = np.zeros((2, 4, 4, 1), np.uint8)
    with pytest.raises(Error, match="Model 'mine' does not run on 2 images: ") as caught:
        predict(model, Preprocessing(4, 4, 1, (0.0,), (1.0,)), pixels)
    assert expected in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "Traceback" in caught.value.details


@pytest.mark.parametrize("count", [1, 10])
def test_the_probabilities_of_crops_are_averaged(count: int) -> None:
    model = keras.Sequential(
        [layers.Input((21, 21, 3)), layers.Flatten(), layers.Dense(4, "softmax")]
    )
    preprocessing = Preprocessing(21, 21, 3, (100.0,) * 3, (50.0,) * 3)
    images = np.random.default_rng(0).integers(0, 256, (5, 30, 40, 3), np.uint8)
    split = Split(images, np.zeros(5, np.int64))
    kernel, bias = model.get_weights()
    (crops,) = image_crops(split, preprocessing, count, 5)
    logits = ((crops - 100.0) / 50).reshape(5, count, -1) @ kernel + bias
    exponentials = np.exp(logits - logits.max(axis=2, keepdims=True))
    expected = (exponentials / exponentials.sum(axis=2, keepdims=True)).mean(axis=1)
    found = predict_crops(model, preprocessing, split, count)
    np.testing.assert_allclose(found, expected, atol=1e-6)
