from __future__ import annotations

import keras
import pytest

import cnn_keras
from cnn_keras.inspection.anatomy import build_uninitialized
from cnn_keras.models.vgg import TABLE_1, TABLE_2
from cnn_keras.zoo import ZOO
from tests.fixtures.networks import ModelOf

DEPTHS = {"A": 11, "B": 13, "D": 16, "E": 19}


@pytest.mark.parametrize(("configuration", "depth"), DEPTHS.items())
def test_configurations_of_table_1(configuration: str, depth: int, model_of: ModelOf) -> None:
    convolutions = [
        layer for layer in model_of(f"vgg{depth}").layers if isinstance(layer, keras.layers.Conv2D)
    ]
    assert len(convolutions) + 3 == depth
    assert {layer.kernel_size for layer in convolutions} == {(3, 3)}
    widths = [width for stage in TABLE_1[configuration] for width in stage]
    assert [layer.filters for layer in convolutions] == widths
    assert round(ZOO[f"vgg{depth}"].parameters / 1e6) == TABLE_2[configuration]


def test_batch_normalization_replaces_the_biases() -> None:
    model = build_uninitialized(
        lambda: cnn_keras.build("vgg11", (32, 32, 3), batch_normalization=True)
    )
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert not layer.use_bias
            assert model.get_layer(f"{layer.name}_bn").input is layer.output
