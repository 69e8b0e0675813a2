from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.errors import UsageError
from cnn_keras.inspection import anatomy
from cnn_keras.models.lenet import TABLE_I
from cnn_keras.zoo import ZOO

# He et al., Table 6: millions of parameters as printed.
TABLE_6 = {"resnet20": 0.27, "resnet32": 0.46, "resnet44": 0.66, "resnet56": 0.85, "resnet110": 1.7}


def trainable(model: keras.Model) -> int:
    return sum(math.prod(weight.shape) for weight in model.trainable_weights)


@pytest.fixture(scope="module", params=ZOO)
def named(
    request: pytest.FixtureRequest, model_of: Callable[[str], keras.Model]
) -> tuple[str, keras.Model]:
    return request.param, model_of(request.param)


def test_parameters_equal_the_fact(named: tuple[str, keras.Model]) -> None:
    name, model = named
    assert trainable(model) == ZOO[name].parameters


def test_shapes_and_name_are_the_rows(named: tuple[str, keras.Model]) -> None:
    name, model = named
    assert model.name == name
    assert model.input_shape == (None, *ZOO[name].input_shape)
    assert model.output_shape == (None, ZOO[name].num_classes)


def test_depth_is_the_papers(named: tuple[str, keras.Model]) -> None:
    name, model = named
    assert anatomy.depth(model) == ZOO[name].depth


@pytest.mark.parametrize("name", TABLE_6)
def test_cifar_resnets_have_the_printed_millions(name: str) -> None:
    digits = 1 if TABLE_6[name] > 1 else 2
    assert round(ZOO[name].parameters / 1e6, digits) == TABLE_6[name]


@pytest.mark.parametrize("depth", [20, 32, 44, 56])
def test_plain_twin_differs_by_its_additions_only(depth: int) -> None:
    plain, residual = (cnn_keras.build(f"{family}{depth}") for family in ("plain", "resnet"))
    kinds = [{type(layer).__name__ for layer in model.layers} for model in (plain, residual)]
    assert kinds[1] - kinds[0] == {"Add", "DepthwiseConv2D"}
    assert trainable(plain) == trainable(residual)
    assert [w.shape for w in plain.trainable_weights] == [
        w.shape for w in residual.trainable_weights
    ]


def test_projection_shortcuts_add_two_convolutions() -> None:
    projected = trainable(cnn_keras.build("resnet20", shortcut="B"))
    convolutions = 16 * 32 + 32 * 64
    assert projected == ZOO["resnet20"].parameters + convolutions + 2 * (32 + 64)


def test_identity_shortcut_is_the_strided_slice_padded_with_zeros() -> None:
    from cnn_keras.blocks import shortcut_to

    x = keras.Input((9, 8, 3))
    like = keras.Input((5, 4, 6))
    model = keras.Model([x, like], shortcut_to(x, like, "A", "shortcut"))
    value = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    expected = np.pad(value[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, 3)))
    np.testing.assert_array_equal(model([value, np.zeros((2, 5, 4, 6), "float32")]), expected)


def test_lenet_of_1998_has_the_papers_rows() -> None:
    model = cnn_keras.build("lenet5", form="1998")
    found = {layer.name: layer.count_params() for layer in model.layers if layer.trainable_weights}
    assert found == {
        "c1": 156,
        "s2_coefficient": 12,
        "c3": 1_516,
        "s4_coefficient": 32,
        "c5": 48_120,
        "f6": 10_164,
    }
    assert trainable(model) == 60_000


def test_table_i_connects_as_the_paper_says() -> None:
    columns = list(zip(*(row.split() for row in TABLE_I), strict=True))
    assert [column.count("X") for column in columns] == [3] * 6 + [4] * 9 + [6]
    # "The first six C3 feature maps take inputs from every contiguous subsets of three".
    for index in range(6):
        seen = {row for row in range(6) if columns[index][row] == "X"}
        assert seen == {index, (index + 1) % 6, (index + 2) % 6}


def test_partial_convolution_ignores_what_it_is_not_connected_to() -> None:
    from cnn_keras.models.lenet import PartialConv2D

    layer = PartialConv2D(TABLE_I, 5)
    image = np.random.default_rng(0).normal(size=(1, 14, 14, 6)).astype("float32")
    before = np.asarray(layer(image))
    changed = image.copy()
    changed[..., 0] += 1  # input map 0
    moved = np.abs(np.asarray(layer(changed)) - before).max(axis=(0, 1, 2)) > 0
    assert list(moved) == [cell == "X" for cell in TABLE_I[0].split()]


def test_fixed_codes_answer_as_euclidean_distances_do() -> None:
    model = cnn_keras.build("lenet5", form="1998")
    features = keras.Model(model.input, model.get_layer("f6_activation").output)
    image = np.random.default_rng(0).normal(size=(4, 32, 32, 1)).astype("float32")
    x = np.asarray(features(image))
    codes = np.asarray(model.get_layer("logits").kernel).T * 84**0.5 / 2
    np.testing.assert_allclose(np.abs(codes), 1, rtol=1e-6)
    distances = ((x[:, None] - codes[None]) ** 2).sum(axis=-1) / 84**0.5
    expected = np.exp(-distances + distances.min(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.asarray(model(image)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("network", "options", "message"),
    [
        ("resnet51", {}, "Unknown network 'resnet51'. Did you mean 'resnet50'?"),
        ("lenet5", {"from": "1998"}, "Unknown option of lenet5 'from'."),
        ("lenet5", {"form": "1989"}, "The form of lenet5 is taught, 1998, not '1989'."),
        (
            "lenet5",
            {"input_shape": (12, 12, 1)},
            "LeNet-5 needs images of 16×16 or more, not 12×12",
        ),
        ("alexnet", {"input_shape": (66, 80, 3)}, "AlexNet needs images of 67×67 or more"),
        ("vgg16", {"input_shape": (31, 40, 3)}, "VGG needs images of 32×32 or more, not 31×40"),
        ("vgg16", {"batch_normalization": "yes"}, "batch_normalization of vgg16 is true, false"),
        ("resnet20", {"shortcut": "D"}, "The shortcut of resnet20 is A, B, C, none, not 'D'."),
        ("resnet20", {"depth": 21}, "6n + 2 is expected"),
        ("resnet20", {"branches": 10}, "10 branches cannot be drawn: this network has 9"),
        ("plain20", {"branches": 1}, "this network has 0"),
        ("resnet20", {"depth": "deep"}, "The depth of resnet20 is a number, not 'deep'."),
        ("resnet20", {"depth": "2²"}, "The depth of resnet20 is a number, not '2²'."),
        ("resnet50", {"depth": 51}, "The depth of resnet50 is 18, 34, 50, 101, 152, not '51'."),
        ("resnet20", {"num_classes": 0}, "one class or more, not 0"),
        ("resnet20", {"input_shape": (32, 32)}, "(height, width, channels), not (32, 32)"),
        ("resnet20", {"include_top": False, "pooling": "sum"}, "'avg', 'max' or None, not 'sum'"),
        (
            "googlenet",
            {"auxiliary": True, "input_shape": (64, 64, 3)},
            "An auxiliary classifier needs maps of 5×5 or more, not 4×4.",
        ),
    ],
)
def test_wrong_requests_are_said_in_one_line(
    network: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as caught:
        cnn_keras.build(network, **options)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".keras", ".weights.h5"])
def test_weights_of_a_file_fill_the_whole_network_or_its_trunk(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"resnet20{suffix}"
    whole = cnn_keras.build("resnet20", num_classes=3)
    (whole.save if suffix == ".keras" else whole.save_weights)(path)
    trunk = cnn_keras.build("resnet20", include_top=False, weights=path)
    for layer in trunk.layers:
        for ours, theirs in zip(layer.weights, whole.get_layer(layer.name).weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
    for network, options, message in (
        ("resnet20", {"num_classes": 10}, "is not of 10 classes"),
        ("resnet20", {"num_classes": 3, "shortcut": "B"}, "do not fit resnet20"),
        ("resnet32", {"num_classes": 3}, "do not fit resnet32"),
    ):
        with pytest.raises(UsageError, match=message):
            cnn_keras.build(network, weights=path, **options)
