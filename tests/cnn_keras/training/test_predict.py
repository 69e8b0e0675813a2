from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error
from cnn_keras.training.predict import predict


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
