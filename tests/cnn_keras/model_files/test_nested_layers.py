from __future__ import annotations

from typing import Any

import keras
import pytest
from keras import layers

from cnn_keras.model_files.nested_layers import operations


def names(model: Any, **options: bool) -> list[str]:
    return [operation.name for operation in operations(model, **options)]


@pytest.fixture
def nested() -> keras.Model:
    """A functional model with a function, a wrapper, and a sequential model called twice."""
    image = keras.Input((4, 4, 2), name="image")
    inner = keras.Sequential([keras.Input((4, 4, 2)), layers.Conv2D(2, 1, name="conv")], name="in")
    x = inner(inner(image)) * 2
    return keras.Model(image, layers.TimeDistributed(layers.Dense(2, name="d"), name="each")(x))


def test_layers_and_functions_come_in_order_and_once(nested: keras.Model) -> None:
    found = [type(operation).__name__ for operation in operations(nested)]
    assert [kind for kind in found if kind != "InputLayer"] == [
        "Sequential",
        "Conv2D",
        "Multiply",
        "TimeDistributed",
    ]


def test_sublayers_are_optional(nested: keras.Model) -> None:
    assert ["d" in names(nested, sublayers=each) for each in (False, True)] == [False, True]
    flat = {id(layer) for layer in nested._flatten_layers(include_self=False)}
    assert {id(layer) for layer in operations(nested, sublayers=True)} == flat


def test_an_attribute_called_layers_does_not_make_a_model() -> None:
    class Stack(layers.Layer):  # type: ignore[misc]
        layers = 3

    assert names(keras.Sequential([Stack(name="stack")]), sublayers=True) == ["stack"]


def test_a_model_of_tf_keras_is_traversed() -> None:
    tf_keras = pytest.importorskip("tf_keras")
    kinds = tf_keras.layers
    inner = tf_keras.Sequential([kinds.Conv2D(2, 1, name="conv")], name="in")
    image = kinds.Input((4, 4, 2), name="image")
    model = tf_keras.Model(image, kinds.ReLU(name="relu")(inner(image)))
    assert [n for n in names(model) if n != "conv_input"] == ["image", "in", "conv", "relu"]
