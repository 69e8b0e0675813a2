from __future__ import annotations

import keras

from cnn_keras.models.nin import LAYERS
from tests.fixtures.networks import ModelOf


def test_nin_has_no_dense_layer(model_of: ModelOf) -> None:
    assert not any(isinstance(layer, keras.layers.Dense) for layer in model_of("nin").layers)


def test_perceptrons_are_rectified_1x1_convolutions(model_of: ModelOf) -> None:
    model = model_of("nin")
    for layer in LAYERS:
        for row, filters in layer.perceptron:
            kernel = model.get_layer(row).kernel
            assert (*kernel.shape[:2], kernel.shape[-1]) == (1, 1, filters)
            assert model.get_layer(f"{row}_relu").input is model.get_layer(row).output


def test_classes_are_the_averages_of_their_maps(model_of: ModelOf) -> None:
    model = model_of("nin")
    assert model.get_layer("pool").input is model.get_layer("logits").output
    assert model.get_layer("logits").output.shape == (None, 8, 8, 10)
