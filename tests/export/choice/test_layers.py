from __future__ import annotations

import re

from export.choice.layers import STATIC, combinations, describe, layers_of, mixed_recipe, uniform
from export.tflite.flatbuffer import parse
from tests.export.choice.invented_files import layer
from tests.fixtures.trained_network import Trained


def test_a_layer_has_a_kernel_and_what_follows(trained: Trained) -> None:
    layers = layers_of(parse(trained.float32))
    assert [each.name for each in layers] == ["conv1", "conv2", "conv3", "probabilities"]
    assert [each.kernel_values for each in layers] == [9 * 16, 9 * 16 * 32, 9 * 32 * 32, 128 * 10]
    assert all(each.types == ("int8", "int4", "float32") for each in layers)
    # The strided slice of a shortcut is a depthwise convolution, but not a layer with weights.
    assert any("subsample" in name for name in layers[1].tensors)
    assert layers[0].kernel_bytes("int4") == 72


def test_depthwise_convolutions_have_no_4_bit_weights() -> None:
    layers = [layer("dense"), layer("depthwise", int4=False)]
    assert uniform(layers, "int4") == ("int4", "int8")
    assert uniform(layers, "float32") == ("float32", "float32")
    assert len(list(combinations(layers))) == 3 * 2 - 1


def test_the_recipe_names_the_tensors_of_the_layers(trained: Trained) -> None:
    layers = layers_of(parse(trained.float32))
    assert mixed_recipe(layers, uniform(layers, "int8")) == STATIC
    mixed = mixed_recipe(layers, ("float32", "int8", "int8", "int4"))
    assert mixed.float_layers is not None
    assert mixed.int4_layers is not None
    names = [name for each in layers for name in each.tensors]
    assert [n for n in names if re.search(mixed.float_layers, n)] == list(layers[0].tensors)
    assert [n for n in names if re.search(mixed.int4_layers, n)] == [layers[3].kernel]


def test_a_mix_of_one_type_is_described_by_it() -> None:
    layers = [layer("a"), layer("b")]
    assert describe(layers, ("int8", "int8")) == "all int8"
    assert describe(layers, ("int4", "int4")) == "all int4"
