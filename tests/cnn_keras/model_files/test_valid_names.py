from __future__ import annotations

import keras
import numpy as np
from keras import layers

from cnn_keras.model_files.valid_names import rename_layers


def test_layers_get_valid_and_distinct_names() -> None:
    inner = keras.Sequential([layers.Dense(2, name="größe"), layers.ReLU(name="_x")], name="a b")
    wrapped = layers.TimeDistributed(layers.Dense(2, name="größe"), name="gr__e")
    model = keras.Sequential([keras.Input((3, 4)), inner, wrapped], name="模型")
    expected = model(image := np.ones((1, 3, 4), np.float32))
    rename_layers(model)
    assert (model.name, inner.name, wrapped.name) == ("model", "a_b", "gr__e")
    assert [layer.name for layer in inner.layers] == ["gr__e_1", "x"]
    assert wrapped.layer.name == "gr__e_2"
    np.testing.assert_array_equal(model(image), expected)


def test_valid_names_are_kept() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(2, name="conv2-1.a_b")], name="net")
    before = [layer.name for layer in model.layers]
    rename_layers(model)
    assert (model.name, [layer.name for layer in model.layers]) == ("net", before)
