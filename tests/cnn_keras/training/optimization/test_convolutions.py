from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnn_keras import zoo
from cnn_keras.blocks import LocalResponseNormalization
from cnn_keras.models.shortcuts import subsample
from cnn_keras.training.optimization.convolutions import (
    crop_kernels,
    multiply_by_bands,
    pool_subsampling,
    split_groups,
)


def build(size: tuple[int, int], kernel: Any, channels: int = 3, **options: Any) -> keras.Model:
    """Return a model of a padded convolution to 6 channels."""
    keras.utils.set_random_seed(0)
    options = {"padding": "same", "bias_initializer": "ones"} | options
    layer = keras.layers.Conv2D(6, kernel, **options)
    return keras.Sequential([keras.Input((*size, channels)), layer])


def train_once(model: keras.Model) -> list[Any]:
    """Return outputs, and the gradients by the images and all weights."""
    images = tf.constant(np.random.default_rng(0).normal(size=(4, *model.input_shape[1:])))
    images = tf.cast(images, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(images)
        outputs = model(images, training=True)
        loss = tf.reduce_sum(outputs**3)
    return [
        outputs,
        *tape.gradient(loss, [images, *(v.value for v in model.trainable_variables)]),
    ]


def operations(model: keras.Model, kind: str) -> list[tf.Operation]:
    """Return the operations of a kind in a model's graph."""
    function = tf.function(lambda images: model(images, training=True))
    graph = function.get_concrete_function(tf.TensorSpec((4, *model.input_shape[1:]))).graph
    return [each for each in graph.get_operations() if each.type == kind]


def kernels(model: keras.Model) -> list[tuple[int, ...]]:
    """Return the shape of the kernel of each convolution in a model's graph."""
    return [tuple(each.inputs[1].shape) for each in operations(model, "Conv2D")]


@pytest.mark.parametrize(
    ("size", "kernel", "used"),
    [
        ((1, 1), 3, (1, 1)),
        ((1, 1), (2, 4), (1, 1)),
        ((2, 2), 3, (3, 3)),
        ((2, 2), 4, (3, 3)),
        ((2, 2), 5, (3, 3)),
        ((2, 2), 8, (3, 3)),
        ((1, 4), (3, 9), (1, 7)),
        ((3, 1), (7, 1), (5, 1)),
        ((3, 5), (3, 3), (3, 3)),
    ],
)
def test_a_step_equals_that_with_whole_kernels(
    size: tuple[int, int], kernel: Any, used: tuple[int, int]
) -> None:
    whole, cropped = build(size, kernel), build(size, kernel)
    crop_kernels(cropped)
    assert [shape[:2] for shape in kernels(cropped)] == [used]
    for expected, found in zip(train_once(whole), train_once(cropped), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "options", [{"padding": "valid"}, {"strides": 2}, {"dilation_rate": 2}], ids=str
)
def test_other_convolutions_are_left_alone(options: dict[str, Any]) -> None:
    model = build((3, 3), 3, **options)
    crop_kernels(model)
    assert "convolution_op" not in vars(model.layers[0])


def test_a_map_of_unknown_size_is_left_alone() -> None:
    layer = keras.layers.Conv2D(5, 3, padding="same")
    crop_kernels(keras.Sequential([keras.Input((None, None, 3)), layer]))
    assert "convolution_op" not in vars(layer)


def test_weights_and_files_stay_as_they_are(tmp_path: Path) -> None:
    model = build((1, 1), 3)
    config = model.to_json()
    crop_kernels(model)
    assert model.to_json() == config
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert kernels(loaded) == [(3, 3, 3, 6)]
    for saved, weights in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(saved, weights)


def test_the_last_stage_of_resnet18_at_32_pixels() -> None:
    model = zoo.build("resnet18", (32, 32, 3), 10)
    crop_kernels(model)
    cropped = {each.name for each in model.layers if "convolution_op" in vars(each)}
    assert cropped == {"conv5_1_b", "conv5_2_a", "conv5_2_b"}


@pytest.mark.parametrize("groups", [2, 3, 6])
@pytest.mark.parametrize("strides", [1, 2])
def test_a_step_equals_that_of_the_grouped_convolution(groups: int, strides: int) -> None:
    grouped, split = (build((5, 4), 3, 12, groups=groups, strides=strides) for _ in range(2))
    split_groups(split)
    assert kernels(split) == groups * [(3, 3, 12 // groups, 6 // groups)]
    for expected, found in zip(train_once(grouped), train_once(split), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_groups_of_cropped_kernels() -> None:
    whole, cropped = (build((1, 1), 3, 4, groups=2) for _ in range(2))
    crop_kernels(cropped)
    split_groups(cropped)
    assert kernels(cropped) == 2 * [(1, 1, 2, 3)]
    for expected, found in zip(train_once(whole), train_once(cropped), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_the_two_groups_of_alexnet() -> None:
    model = zoo.build("alexnet", (32, 32, 1), 10, stem="small")
    split_groups(model)
    split = {each.name for each in model.layers if "convolution_op" in vars(each)}
    assert split == {"conv2", "conv4", "conv5"}


@pytest.mark.parametrize("size", [(4, 4), (5, 7), (1, 2)])
@pytest.mark.parametrize("strides", [2, 3])
def test_pooling_subsamples_exactly(size: tuple[int, int], strides: int) -> None:
    image = keras.Input((*size, 3))
    plain, pooled = (keras.Model(image, subsample(image, strides, name="s")) for _ in range(2))
    pool_subsampling(pooled)
    assert operations(plain, "DepthwiseConv2dNative")
    assert operations(pooled, "AvgPool")
    assert not operations(pooled, "DepthwiseConv2dNative")
    for expected, found in zip(train_once(plain), train_once(pooled), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_only_the_shortcuts_are_pooled() -> None:
    model = zoo.build("resnet20", (32, 32, 3), 10)
    pool_subsampling(model)
    assert [each.name for each in model.layers if "call" in vars(each)] == [
        "conv3_1_shortcut",
        "conv4_1_shortcut",
    ]
    model = zoo.build("lenet5", (32, 32, 1), 10, form="1998")
    pool_subsampling(model)
    assert any(isinstance(each, keras.layers.DepthwiseConv2D) for each in model.layers)
    assert not any("call" in vars(each) for each in model.layers)


@pytest.mark.parametrize("channels", [1, 7, 16, 96])
@pytest.mark.parametrize("radius", [1, 2, 5])
def test_a_step_equals_that_of_the_convolved_normalization(channels: int, radius: int) -> None:
    def build() -> keras.Model:
        layer = LocalResponseNormalization(radius, bias=2, alpha=0.3, beta=0.75)
        return keras.Sequential([keras.Input((5, 4, channels)), layer])

    convolved, multiplied = build(), build()
    multiply_by_bands(multiplied)
    assert len(operations(convolved, "Conv2D")) == 1
    assert operations(multiplied, "Conv2D") == []
    for expected, found in zip(train_once(convolved), train_once(multiplied), strict=True):
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_saved_normalization_is_convolved(tmp_path: Path) -> None:
    model = zoo.build("alexnet", (28, 28, 1), 10, stem="small")
    config = model.to_json()
    multiply_by_bands(model)
    normalized = [each.name for each in model.layers if "sum_neighbors" in vars(each)]
    assert normalized == ["conv1_lrn", "conv2_lrn"]
    assert model.to_json() == config
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert not any("sum_neighbors" in vars(each) for each in loaded.layers)
