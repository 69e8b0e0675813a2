from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import cnn_keras
from cnn_keras.errors import UsageError
from cnn_keras.inspection.anatomy import build_uninitialized, depth, rows, total
from cnn_keras.zoo import ZOO
from tests.fixtures.networks import OUTPUT_SHAPES, ModelOf, rows_by_name


def test_macs_follow_from_kernels_and_positions(model_of: ModelOf) -> None:
    macs = {r.row: r.macs for r in rows(model_of("lenet5"))}
    assert macs["c1"] == 28 * 28 * 5 * 5 * 6
    assert macs["c3"] == 10 * 10 * 5 * 5 * 6 * 16
    assert macs["c5"] == 400 * 120


def test_a_module_of_a_residual_network_is_one_row(model_of: ModelOf) -> None:
    found = rows_by_name(model_of("resnet20"))
    assert [name for name in found if name.startswith("conv")] == [
        "conv1",
        *(f"conv{stage}_{i}" for stage in (2, 3, 4) for i in (1, 2, 3)),
    ]
    module = found["conv3_1"]
    assert module.output_shape == (16, 16, 32)
    assert module.parameters == 9 * (16 * 32 + 32 * 32) + 4 * 32
    assert module.macs == 16 * 16 * 9 * (16 * 32 + 32 * 32)
    assert module.neurons == 2 * 16 * 16 * 32
    # Two convolutions, the subsampled shortcut and the sum; the other layers work in place.
    assert module.activation_bytes == 4 * 16 * 16 * (32 + 32 + 16 + 32)


@pytest.mark.parametrize("name", ZOO)
def test_rows_add_up_to_the_zoos_totals(name: str, model_of: ModelOf) -> None:
    whole = total(rows(model_of(name)))
    assert (whole.parameters, whole.macs) == (ZOO[name].parameters, ZOO[name].macs)


def test_every_network_has_expected_output_shapes() -> None:
    assert set(OUTPUT_SHAPES) == set(ZOO)


@pytest.mark.parametrize("name", OUTPUT_SHAPES)
def test_output_shapes_equal_the_papers(name: str, model_of: ModelOf) -> None:
    found = rows_by_name(model_of(name))
    assert {row: found[row].output_shape for row in OUTPUT_SHAPES[name]} == OUTPUT_SHAPES[name]


@pytest.mark.parametrize(
    ("name", "parameters", "billion_macs"),
    [
        ("vgg11", 132_863_336, 7.6),
        ("vgg13", 133_047_848, 11.3),
        ("vgg16", 138_357_544, 15.5),
        ("vgg19", 143_667_240, 19.6),
        ("resnet18", 11_689_512, 1.8),
        ("resnet34", 21_797_672, 3.7),
        ("resnet50", 25_557_032, 3.9),
        ("resnet101", 44_549_160, 7.6),
        ("resnet152", 60_192_808, 11.3),
        ("plain18", 11_515_688, 1.8),
        ("plain34", 21_623_848, 3.6),
    ],
)
def test_parameters_and_billions_of_multiply_adds(
    name: str, parameters: int, billion_macs: float, model_of: ModelOf
) -> None:
    whole = total(rows(model_of(name)))
    assert whole.parameters == parameters
    assert round(whole.macs / 1e9, 1) == billion_macs


def test_activation_memory_of_vgg_counts_each_output_once(
    model_of: ModelOf,
) -> None:
    found = rows_by_name(model_of("vgg16"))
    assert found["conv1_1"].activation_bytes == 4 * 224 * 224 * 64  # not again for the ReLU
    assert found["pool1"].activation_bytes == 4 * 112 * 112 * 64
    assert found["flatten"].activation_bytes == 0
    # Channels of the convolutions and of the pooling on maps of each size, then the dense layers.
    widths = {224: 2 * 64, 112: 2 * 128 + 64, 56: 3 * 256 + 128, 28: 3 * 512 + 256, 14: 4 * 512}
    maps = sum(side * side * channels for side, channels in widths.items()) + 7 * 7 * 512
    whole = total(list(found.values()))
    assert whole.activation_bytes == 4 * (maps + 4096 + 4096 + 1000)


@pytest.mark.parametrize(
    ("name", "row", "side"),
    [
        ("lenet5", "c5", 32),
        ("alexnet", "conv5", 163),
        ("alexnet", "pool5", 195),
        ("vgg16", "conv5_3", 196),
        ("vgg16", "pool5", 212),
        # Araujo, Norris, Sim, "Computing receptive fields of convolutional neural networks",
        # Distill 2019, table 1.
        ("resnet50", "conv5_3", 483),
        ("resnet101", "conv5_3", 1027),
        ("resnet152", "conv5_3", 1507),
    ],
)
def test_receptive_fields_equal_published_ones(
    name: str, row: str, side: int, model_of: ModelOf
) -> None:
    assert rows_by_name(model_of(name))[row].receptive_field == (side, side)


def summing(model: keras.Model) -> keras.Model:
    """Return a model of the same geometry that sums its inputs: one filter of ones per layer."""
    linear = (layers.ReLU, layers.Activation, layers.Dropout)

    def replaced(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if hasattr(layer, "kernel_size"):
            config |= {"use_bias": False, "trainable": True}
            config |= {k: "ones" for k in config if k.endswith("kernel_initializer")}
            config |= {k: 1 for k in ("filters", "groups") if k in config}
        if isinstance(layer, layers.MaxPooling2D):  # its gradient follows one input only
            return layers.AveragePooling2D.from_config(config)
        if isinstance(layer, linear) or layer.name.endswith("lrn"):
            return layers.Identity(name=layer.name)
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=replaced)


def region_with_gradient(model: keras.Model) -> tuple[int, ...]:
    """Return the size of the input region in which the central output has a gradient."""

    @tf.function  # without the gradients of kernels, for which oneDNN aborts at one channel
    def gradient(image: tf.Tensor) -> tf.Tensor:
        output = model(image)
        middle = output[(0, *(side // 2 for side in output.shape[1:-1]))]
        return tf.gradients(tf.reduce_sum(middle), image)[0]

    seen = gradient(tf.ones((1, *model.input_shape[1:]))).numpy()[0].any(axis=-1)
    places = np.nonzero(seen)
    assert all(p.min() > 0 and p.max() < s - 1 for p, s in zip(places, seen.shape, strict=True))
    return tuple(int(p.max() - p.min() + 1) for p in places)


@pytest.mark.parametrize(
    ("name", "side", "options"),
    [
        ("lenet5", 64, {}),
        ("alexnet", 323, {}),
        ("nin", 96, {}),
        ("vgg16", 320, {}),
        ("googlenet", 896, {}),
        ("googlenet", 896, {"form": "torchvision"}),
        ("resnet18", 512, {}),
        ("resnet50", 640, {}),
        ("resnet50", 640, {"stride_on": "3x3"}),
        ("resnet20", 160, {"shortcut": "B"}),
        ("plain20", 161, {}),
    ],
)
def test_receptive_fields_equal_the_region_with_a_gradient(
    name: str, side: int, options: dict[str, str]
) -> None:
    features = build_uninitialized(
        lambda: cnn_keras.build(name, (side, side, 1), include_top=False, **options)
    )
    assert region_with_gradient(summing(features)) == rows(features)[-1].receptive_field


def two_branches(image: Any) -> Any:
    wide = layers.Conv2D(2, (1, 7), padding="same")(image)
    wide = layers.Conv2D(2, (7, 3), (2, 1), padding="same", dilation_rate=1)(wide)
    narrow = layers.MaxPooling2D((2, 1))(layers.SeparableConv2D(2, 3, padding="same")(image))
    return layers.Concatenate()([narrow, wide])


def decoder(image: Any) -> Any:
    x = layers.Conv2D(2, 3, 2, padding="same")(image)
    x = layers.Conv2D(2, 3, padding="same", dilation_rate=2)(x)
    x = layers.UpSampling2D(2)(x)
    return layers.Add()([layers.Conv2D(2, 3, padding="same")(x), image])


def transposed(image: Any) -> Any:
    x = layers.DepthwiseConv2D(3, 2, padding="same", depth_multiplier=2)(image)
    x = layers.Conv2DTranspose(3, 4, 2, padding="same")(x)
    return layers.Conv2D(4, 3, groups=1, padding="same")(x)


@pytest.mark.parametrize("graph", [two_branches, decoder, transposed])
def test_receptive_fields_of_any_graph(graph: Callable[[Any], Any]) -> None:
    image = keras.Input((48, 40, 2))
    model = keras.Model(image, graph(image))
    assert region_with_gradient(summing(model)) == rows(model)[-1].receptive_field


def test_a_shared_layer_counts_its_weights_once_and_its_macs_per_call() -> None:
    image = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="conv1")
    model = keras.Model(image, shared(shared(image)))
    (row,) = rows(model)
    assert (row.parameters, row.macs) == (9 * 3 * 3 + 3, 2 * 8 * 8 * 9 * 3 * 3)
    assert row.receptive_field == (5, 5)
    assert depth(model) == 2


def test_layers_of_nested_models_are_counted() -> None:
    image = keras.Input((32, 32, 3))
    stem = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(4, 3, 2, name="stem")])
    base = cnn_keras.build("resnet20", (15, 15, 4), include_top=False)
    scores = layers.Dense(5, name="logits")(layers.Flatten()(base(stem(image))))
    model = keras.Model(image, scores)
    found = rows_by_name(model)
    inside = rows_by_name(base)
    assert found["conv3_1"].macs == inside["conv3_1"].macs
    assert found["conv3_1"].receptive_field[0] == 2 * inside["conv3_1"].receptive_field[0] + 1
    assert total(rows(model)).parameters == model.count_params() - sum(
        math.prod(w.shape) for w in model.non_trainable_weights
    )
    assert depth(model) == 21
    assert rows(stem)[0].macs == 15 * 15 * 9 * 3 * 4


def test_freezing_does_not_change_the_macs() -> None:
    model = cnn_keras.build("resnet20")
    model.trainable = False
    whole = total(rows(model))
    assert (whole.parameters, whole.macs) == (0, ZOO["resnet20"].macs)
    assert depth(model) == 20


def test_multiply_adds_of_other_convolutions() -> None:
    image = keras.Input((8, 6, 4))
    found = {
        type(layer).__name__: rows(keras.Model(image, layer(image)))[0].macs
        for layer in (
            layers.Conv2D(8, 3, groups=2, padding="same"),
            layers.Conv2DTranspose(2, 4, 2, padding="same"),
            layers.DepthwiseConv2D(3, 2, padding="same", depth_multiplier=2),
            layers.SeparableConv2D(5, 3, padding="same"),
            layers.Dense(7),
        )
    }
    assert found == {
        "Conv2D": 8 * 6 * 9 * 2 * 8,
        "Conv2DTranspose": 8 * 6 * 16 * 4 * 2,
        "DepthwiseConv2D": 4 * 3 * 9 * 4 * 2,
        "SeparableConv2D": 8 * 6 * (9 * 4 + 4 * 5),
        "Dense": 8 * 6 * 4 * 7,
    }
    signal = keras.Input((10, 3))
    (row,) = rows(keras.Model(signal, layers.Conv1D(2, 3, 2)(signal)))
    assert (row.macs, row.receptive_field) == (4 * 3 * 3 * 2, (3,))
    first = keras.Input((4, 8, 6))
    (row,) = rows(keras.Model(first, layers.Conv2D(2, 3, data_format="channels_first")(first)))
    assert (row.macs, row.receptive_field) == (6 * 4 * 9 * 4 * 2, (3, 3))


@pytest.mark.parametrize(
    ("name", "macs", "layers_deep"),
    [
        ("MobileNet", 568_740_352, 28),  # Howard et al. arXiv:1704.04861: 569 million, 28 layers
        ("DenseNet121", None, 121),
        ("Xception", None, 37),  # Chollet arXiv:1610.02357: 36 convolutions, and the classifier
        ("VGG16", ZOO["vgg16"].macs, 16),
        ("ResNet50", ZOO["resnet50"].macs, 50),
    ],
)
def test_networks_of_keras_applications(name: str, macs: int | None, layers_deep: int) -> None:
    model = build_uninitialized(lambda: getattr(keras.applications, name)(weights=None))
    whole = total(rows(model))
    assert macs in (None, whole.macs)
    assert depth(model) == layers_deep
    assert whole.parameters == sum(math.prod(w.shape) for w in model.trainable_weights)


def test_an_outline_leaves_no_pending_initialization() -> None:
    model = build_uninitialized(lambda: cnn_keras.build("resnet20"))
    assert cnn_keras.build("lenet5").get_weights()  # Keras would initialize pending variables here
    assert all(weight._value is None for weight in model.weights)


def test_models_without_fixed_shapes_or_graph_are_refused() -> None:
    image = keras.Input((None, None, 3))
    with pytest.raises(UsageError, match=r"open: \(None, None, 3\)"):
        rows(keras.Model(image, layers.Conv2D(2, 3)(image)))
    with pytest.raises(UsageError, match="functional model"):
        depth(keras.Sequential([layers.Dense(2)]))
