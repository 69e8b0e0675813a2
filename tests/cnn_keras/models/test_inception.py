from __future__ import annotations

import keras

from cnn_keras.models.inception import Widths, inception, naive_inception

MAPS = keras.Input((28, 28, 192))


def test_naive_module_keeps_every_pooled_channel() -> None:
    found = naive_inception(MAPS, 64, 128, 32, name="3a")
    assert found.shape == (None, 28, 28, 64 + 128 + 32 + 192)


def test_module_reduces_channels_before_its_large_windows() -> None:
    widths = Widths(conv1=64, reduce3=96, conv3=128, reduce5=16, conv5=32, pool_proj=48)
    model = keras.Model(MAPS, inception(MAPS, widths, name="3a"))
    kernels = {
        layer.name.removeprefix("3a_"): tuple(layer.kernel.shape)
        for layer in model.layers
        if layer.weights
    }
    assert kernels == {
        "1x1": (1, 1, 192, 64),
        "3x3_reduce": (1, 1, 192, 96),
        "3x3": (3, 3, 96, 128),
        "5x5_reduce": (1, 1, 192, 16),
        "5x5": (5, 5, 16, 32),
        "pool_proj": (1, 1, 192, 48),
    }
    assert model.output_shape == (None, 28, 28, 64 + 128 + 32 + 48)
    assert model.layers[-1].name == "3a_concat"


def test_third_branch_may_have_smaller_windows() -> None:
    model = keras.Model(MAPS, inception(MAPS, Widths(8, 8, 8, 8, 8, 8), name="3a", kernel5=3))
    assert model.get_layer("3a_5x5").kernel_size == (3, 3)
