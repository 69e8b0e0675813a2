from __future__ import annotations

import math
from functools import partial

import keras

import cnn_keras
from cnn_keras.inspection.anatomy import build_uninitialized, rows, total
from tests.fixtures.networks import ModelOf


def test_the_paper_truncates_multiply_adds_of_34_and_50_layers(model_of: ModelOf) -> None:
    found = {name: total(rows(model_of(name))).macs for name in ("resnet34", "resnet50")}
    assert {name: math.floor(macs / 1e8) / 10 for name, macs in found.items()} == {
        "resnet34": 3.6,
        "resnet50": 3.8,
    }
    v15 = build_uninitialized(lambda: cnn_keras.build("resnet50", stride_on="3x3"))
    assert round(total(rows(v15)).macs / 1e9, 1) == 4.1


def test_stride_on_selects_the_convolution_with_the_stride() -> None:
    for stride_on, letter in (("1x1", "a"), ("3x3", "b")):
        model = build_uninitialized(
            partial(cnn_keras.build, "resnet50", (64, 64, 3), stride_on=stride_on)
        )
        strided = [
            layer.name
            for layer in model.layers
            if isinstance(layer, keras.layers.Conv2D)
            and layer.strides == (2, 2)
            and "shortcut" not in layer.name
        ]
        assert strided == ["conv1", *(f"conv{stage}_1_{letter}" for stage in (3, 4, 5))]


def test_preactivation_keeps_the_shortcut_an_identity() -> None:
    model = build_uninitialized(
        lambda: cnn_keras.build("resnet18", (32, 32, 3), preactivation=True)
    )
    names = [layer.name for layer in model.layers]
    assert "conv2_1_a_bn" not in names  # conv1 is activated already
    module = names[names.index("conv2_2_a_bn") : names.index("conv2_2_add") + 1]
    assert module == [
        *("conv2_2_a_bn", "conv2_2_a_relu", "conv2_2_a"),
        *("conv2_2_b_bn", "conv2_2_b_relu", "conv2_2_b"),
        "conv2_2_add",
    ]
    assert model.get_layer("conv3_1_a_bn").input is model.get_layer("conv2_2_add").output
