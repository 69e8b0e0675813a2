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
from cnn_keras.inspection.anatomy import Row, depth, outline, rows, total
from cnn_keras.layer_names import row_of
from cnn_keras.zoo import ZOO

ModelOf = Callable[[str], keras.Model]

# Szegedy et al., Table 1: output size, params in K = 1024, ops in millions.
# fmt: off
TABLE_1 = {
    "conv1":  ((112, 112,   64),    2.7,  34),
    "pool1":  (( 56,  56,   64), None, None),
    "conv2":  (( 56,  56,  192),  112,   360),
    "pool2":  (( 28,  28,  192), None, None),
    "3a":     (( 28,  28,  256),  159,   128),
    "3b":     (( 28,  28,  480),  380,   304),
    "pool3":  (( 14,  14,  480), None, None),
    "4a":     (( 14,  14,  512),  364,    73),
    "4b":     (( 14,  14,  512),  437,    88),
    "4c":     (( 14,  14,  512),  463,   100),
    "4d":     (( 14,  14,  528),  580,   119),
    "4e":     (( 14,  14,  832),  840,   170),
    "pool4":  ((  7,   7,  832), None, None),
    "5a":     ((  7,   7,  832), 1072,    54),
    "5b":     ((  7,   7, 1024), 1388,    71),
    "pool5":  ((1024,),          None, None),
    "logits": ((1000,),          1000,     1),
}
# fmt: on

# Rows and their outputs, as the papers draw or state them.
# fmt: off
OUTPUTS = {
    "lenet5": {
        "c1": (28, 28, 6), "s2": (14, 14, 6), "c3": (10, 10, 16), "s4": (5, 5, 16),
        "c5": (120,), "f6": (84,), "logits": (10,),
    },
    "alexnet": {
        "conv1": (55, 55, 96), "pool1": (27, 27, 96), "conv2": (27, 27, 256),
        "pool2": (13, 13, 256), "conv3": (13, 13, 384), "conv4": (13, 13, 384),
        "conv5": (13, 13, 256), "pool5": (6, 6, 256),
        "fc6": (4096,), "fc7": (4096,), "logits": (1000,),
    },
    "nin": {"cccp2": (32, 32, 96), "cccp4": (16, 16, 192), "cccp5": (8, 8, 192), "pool": (10,)},
    **{
        name: {
            "conv1_1": (224, 224, 64), "conv2_1": (112, 112, 128), "conv3_1": (56, 56, 256),
            "conv4_1": (28, 28, 512), "conv5_1": (14, 14, 512), "pool5": (7, 7, 512),
            "fc6": (4096,), "fc7": (4096,), "logits": (1000,),
        }
        for name in ("vgg11", "vgg13", "vgg16", "vgg19")
    },
    "googlenet": {row: output for row, (output, _, _) in TABLE_1.items()},
    **{
        name: {
            "conv1": (112, 112, 64),
            "pool1": (56, 56, 64),
            f"conv2_{blocks[0]}": (56, 56, 64 * expansion),
            f"conv3_{blocks[1]}": (28, 28, 128 * expansion),
            f"conv4_{blocks[2]}": (14, 14, 256 * expansion),
            f"conv5_{blocks[3]}": (7, 7, 512 * expansion),
            "pool": (512 * expansion,),
            "logits": (1000,),
        }
        for name, blocks, expansion in (
            ("plain18", (2, 2, 2, 2), 1),
            ("plain34", (3, 4, 6, 3), 1),
            ("resnet18", (2, 2, 2, 2), 1),
            ("resnet34", (3, 4, 6, 3), 1),
            ("resnet50", (3, 4, 6, 3), 4),
            ("resnet101", (3, 4, 23, 3), 4),
            ("resnet152", (3, 8, 36, 3), 4),
        )
    },
    **{
        name: {
            "conv1": (32, 32, 16),
            f"conv2_{n}": (32, 32, 16),
            f"conv3_{n}": (16, 16, 32),
            f"conv4_{n}": (8, 8, 64),
            "pool": (64,),
            "logits": (10,),
        }
        for name, n in (
            *((f"plain{6 * n + 2}", n) for n in (3, 5, 7, 9)),
            *((f"resnet{6 * n + 2}", n) for n in (3, 5, 7, 9, 18)),
        )
    },
}
# fmt: on


def by_row(model: keras.Model) -> dict[str, Row]:
    return {row.row: row for row in rows(model)}


def test_rows_of_lenet_are_the_papers(model_of: ModelOf) -> None:
    found = [(r.row, r.output_shape, r.parameters) for r in rows(model_of("lenet5"))]
    assert found[:4] == [
        ("c1", (28, 28, 6), 156),
        ("s2", (14, 14, 6), 0),
        ("c3", (10, 10, 16), 2_416),
        ("s4", (5, 5, 16), 0),
    ]
    assert found[5:8] == [
        ("c5", (120,), 48_120),
        ("f6", (84,), 10_164),
        ("logits", (10,), 850),
    ]


def test_macs_follow_from_kernels_and_positions(model_of: ModelOf) -> None:
    macs = {r.row: r.macs for r in rows(model_of("lenet5"))}
    assert macs["c1"] == 28 * 28 * 5 * 5 * 6
    assert macs["c3"] == 10 * 10 * 5 * 5 * 6 * 16
    assert macs["c5"] == 400 * 120


def test_connections_of_lenet_are_the_papers() -> None:
    found = by_row(outline(lambda: cnn_keras.build("lenet5", form="1998")))
    assert found["c3"].macs == 10 * 10 * 5 * 5 * 60  # 60 crosses in Table I
    # Every unit adds up its inputs and a bias; a subsampling unit has four inputs.
    connections = {row: found[row].macs + found[row].neurons for row in ("c1", "c3", "c5", "f6")}
    connections |= {row: 5 * found[row].neurons for row in ("s2", "s4")}
    assert connections == {
        "c1": 122_304,
        "c3": 151_600,
        "c5": 48_120,
        "f6": 10_164,
        "s2": 5_880,
        "s4": 2_000,
    }
    assert sum(connections.values()) + found["logits"].macs == 340_908
    assert depth(outline(lambda: cnn_keras.build("lenet5", form="1998"))) == 7  # "seven layers"


def test_a_module_of_a_residual_network_is_one_row(model_of: ModelOf) -> None:
    found = by_row(model_of("resnet20"))
    assert [name for name in found if name.startswith("conv")] == [
        "conv1",
        *(f"conv{stage}_{i}" for stage in (2, 3, 4) for i in (1, 2, 3)),
    ]
    module = found["conv3_1"]
    assert module.output_shape == (16, 16, 32)
    assert module.parameters == 9 * (16 * 32 + 32 * 32) + 4 * 32
    assert module.macs == 16 * 16 * 9 * (16 * 32 + 32 * 32)
    assert module.neurons == 2 * 16 * 16 * 32
    # Two convolutions, the subsampled way around them, and the sum; the rest works in place.
    assert module.activation_bytes == 4 * 16 * 16 * (32 + 32 + 16 + 32)


@pytest.mark.parametrize("name", ZOO)
def test_rows_add_up_to_the_facts(name: str, model_of: ModelOf) -> None:
    whole = total(rows(model_of(name)))
    assert (whole.parameters, whole.macs) == (ZOO[name].parameters, ZOO[name].macs)


def test_every_network_has_its_outputs_tested() -> None:
    assert set(OUTPUTS) == set(ZOO)


@pytest.mark.parametrize("name", OUTPUTS)
def test_output_sizes_are_the_papers(name: str, model_of: ModelOf) -> None:
    found = by_row(model_of(name))
    assert {row: found[row].output_shape for row in OUTPUTS[name]} == OUTPUTS[name]


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


def test_resnet_prints_3_6_and_3_8_billion_because_it_cuts_digits(model_of: ModelOf) -> None:
    found = {name: total(rows(model_of(name))).macs for name in ("resnet34", "resnet50")}
    assert {name: math.floor(macs / 1e8) / 10 for name, macs in found.items()} == {
        "resnet34": 3.6,
        "resnet50": 3.8,
    }
    v15 = outline(lambda: cnn_keras.build("resnet50", stride_on="3x3"))
    assert round(total(rows(v15)).macs / 1e9, 1) == 4.1


def test_googlenet_is_table_1_but_for_the_rows_that_contradict_themselves(
    model_of: ModelOf,
) -> None:
    model = model_of("googlenet")
    found = by_row(model)
    weights = dict.fromkeys(found, 0)  # without biases, as the paper counts
    for layer in model.layers:
        if layer.weights:
            weights[row_of(layer.name)] += math.prod(layer.kernel.shape)
    printed = {row: (params, ops) for row, (_, params, ops) in TABLE_1.items() if params}
    off = {row: weights[row] / (params * 1024) - 1 for row, (params, _) in printed.items()}
    assert {row for row, share in off.items() if abs(share) > 0.02} == {"conv1", "4c", "5a"}
    # Two more are off by 1.8 and 1.5 %; their ops, which follow from the same weights, agree.
    assert {row for row, share in off.items() if 0.01 < abs(share) <= 0.02} == {"4d", "5b"}
    assert {row for row, (_, ops) in printed.items() if abs(found[row].macs / 1e6 - ops) > 1} == {
        "conv1",
        "5a",
    }
    assert (found["conv1"].macs, weights["conv1"]) == (118_013_952, 9_408)


def test_alexnet_has_the_papers_neurons_and_both_forms_their_multiply_adds(
    model_of: ModelOf,
) -> None:
    found = by_row(model_of("alexnet"))
    neurons = {row: found[row].neurons for row in found if found[row].neurons}
    # The caption of figure 2 has 253,440 for conv1, which is 55×48×96.
    assert list(neurons.values()) == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert sum(neurons.values()) == 659_272
    assert total(list(found.values())).macs == 724_406_816
    one_tower = outline(lambda: cnn_keras.build("alexnet", (224, 224, 3), form="2014"))
    assert total(rows(one_tower)).macs == 714_188_480


def test_activation_memory_of_vgg_is_its_convolutions_and_poolings(model_of: ModelOf) -> None:
    found = by_row(model_of("vgg16"))
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
def test_receptive_fields_are_the_known_ones(
    name: str, row: str, side: int, model_of: ModelOf
) -> None:
    assert by_row(model_of(name))[row].receptive_field == (side, side)


def thin(model: keras.Model) -> keras.Model:
    """Return a model of the same geometry that adds up what it sees: one filter of ones each."""
    linear = (layers.ReLU, layers.Activation, layers.Dropout)

    def replaced(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if hasattr(layer, "kernel_size"):
            config |= {"use_bias": False, "trainable": True}
            config |= {k: "ones" for k in config if k.endswith("kernel_initializer")}
            config |= {k: 1 for k in ("filters", "groups") if k in config}
        if isinstance(layer, layers.MaxPooling2D):  # whose gradient takes one path only
            return layers.AveragePooling2D.from_config(config)
        if isinstance(layer, linear) or layer.name.endswith("lrn"):
            return layers.Identity(name=layer.name)
        return type(layer).from_config(config)

    return keras.models.clone_model(model, clone_function=replaced)


def seen_sides(model: keras.Model) -> tuple[int, ...]:
    """Return the sides of the input that the output in the middle has a gradient from."""

    @tf.function  # leaves out the kernels' gradients, on which oneDNN aborts at one channel
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
def test_receptive_fields_are_what_a_gradient_reaches(
    name: str, side: int, options: dict[str, str]
) -> None:
    features = outline(lambda: cnn_keras.build(name, (side, side, 1), include_top=False, **options))
    assert seen_sides(thin(features)) == rows(features)[-1].receptive_field


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
    assert seen_sides(thin(model)) == rows(model)[-1].receptive_field


def test_a_shared_layer_costs_at_each_call_and_has_its_weights_once() -> None:
    image = keras.Input((8, 8, 3))
    shared = layers.Conv2D(3, 3, padding="same", name="conv1")
    model = keras.Model(image, shared(shared(image)))
    (row,) = rows(model)
    assert (row.parameters, row.macs) == (9 * 3 * 3 + 3, 2 * 8 * 8 * 9 * 3 * 3)
    assert row.receptive_field == (5, 5)
    assert depth(model) == 2


def test_models_inside_a_model_are_opened() -> None:
    image = keras.Input((32, 32, 3))
    stem = keras.Sequential([keras.Input((32, 32, 3)), layers.Conv2D(4, 3, 2, name="stem")])
    base = cnn_keras.build("resnet20", (15, 15, 4), include_top=False)
    scores = layers.Dense(5, name="logits")(layers.Flatten()(base(stem(image))))
    model = keras.Model(image, scores)
    found = by_row(model)
    inside = by_row(base)
    assert found["conv3_1"].macs == inside["conv3_1"].macs
    assert found["conv3_1"].receptive_field[0] == 2 * inside["conv3_1"].receptive_field[0] + 1
    assert total(rows(model)).parameters == model.count_params() - sum(
        math.prod(w.shape) for w in model.non_trainable_weights
    )
    assert depth(model) == 21
    assert rows(stem)[0].macs == 15 * 15 * 9 * 3 * 4


def test_a_frozen_network_costs_what_it_costs() -> None:
    model = cnn_keras.build("resnet20")
    model.trainable = False
    whole = total(rows(model))
    assert (whole.parameters, whole.macs) == (0, ZOO["resnet20"].macs)
    assert depth(model) == 20


def test_other_convolutions_and_their_multiply_adds() -> None:
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
    model = outline(lambda: getattr(keras.applications, name)(weights=None))
    whole = total(rows(model))
    assert macs in (None, whole.macs)
    assert depth(model) == layers_deep
    assert whole.parameters == sum(math.prod(w.shape) for w in model.trainable_weights)


def test_an_outline_leaves_nothing_to_draw_behind() -> None:
    model = outline(lambda: cnn_keras.build("resnet20"))
    assert cnn_keras.build("lenet5").get_weights()  # Keras draws what waits for its values here
    assert all(weight._value is None for weight in model.weights)


def test_what_has_no_rows_is_refused() -> None:
    image = keras.Input((None, None, 3))
    with pytest.raises(UsageError, match=r"open: \(None, None, 3\)"):
        rows(keras.Model(image, layers.Conv2D(2, 3)(image)))
    with pytest.raises(UsageError, match="functional model"):
        depth(keras.Sequential([layers.Dense(2)]))


@pytest.mark.parametrize(
    ("layer", "row"),
    [
        ("conv2_1_a_bn", "conv2_1"),
        ("4c_5x5_reduce_relu", "4c"),
        ("3a_pool_proj", "3a"),
        ("4a_aux_fc_dropout", "4a_aux"),
        ("pool1_lrn", "pool1"),
        ("conv1_1_relu", "conv1_1"),
        ("logits", "logits"),
        ("pool", "pool"),
    ],
)
def test_row_of(layer: str, row: str) -> None:
    assert row_of(layer) == row
