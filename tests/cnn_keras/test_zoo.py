from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.errors import UsageError
from cnn_keras.inspection import anatomy
from cnn_keras.zoo import ZOO
from tests.fixtures.networks import ModelOf, count_trainable


@pytest.fixture(scope="module", params=ZOO)
def named(request: pytest.FixtureRequest, model_of: ModelOf) -> tuple[str, keras.Model]:
    return request.param, model_of(request.param)


def test_parameters_equal_the_rows(named: tuple[str, keras.Model]) -> None:
    name, model = named
    assert count_trainable(model) == ZOO[name].parameters


def test_shapes_and_name_equal_the_rows(named: tuple[str, keras.Model]) -> None:
    name, model = named
    assert model.name == name
    assert model.input_shape == (None, *ZOO[name].input_shape)
    assert model.output_shape == (None, ZOO[name].num_classes)


def test_depth_equals_the_rows(named: tuple[str, keras.Model]) -> None:
    name, model = named
    assert anatomy.depth(model) == ZOO[name].depth


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
        ("resnet20", {"branches": 10}, "A step cannot train 10 branches: this network has 9"),
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
def test_wrong_arguments_raise_an_error_of_one_line(
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
        ("resnet20", {"num_classes": 10}, "does not have 10 classes"),
        ("resnet20", {"num_classes": 3, "shortcut": "B"}, "do not fit resnet20"),
        ("resnet32", {"num_classes": 3}, "do not fit resnet32"),
    ):
        with pytest.raises(UsageError, match=message):
            cnn_keras.build(network, weights=path, **options)


def test_trained_weights_have_their_input_and_classes() -> None:
    model = cnn_keras.build("lenet5", weights="digits")
    assert (model.input_shape, model.output_shape) == ((None, 32, 32, 1), (None, 10))
    logits = cnn_keras.build("lenet5", weights="digits", classifier_activation=None, name="mine")
    half = cnn_keras.build("lenet5", num_classes=10, weights="digits", dtype="mixed_bfloat16")
    trunk = cnn_keras.build("lenet5", weights="digits", include_top=False, pooling="avg")
    for other in (logits, half, trunk):
        for layer in other.layers:
            if layer.weights:
                expected = model.get_layer(layer.name).get_weights()
                for ours, theirs in zip(layer.get_weights(), expected, strict=True):
                    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_shape": (28, 28, 1)}, "lenet5:digits takes images of 32×32×1, not 28×28×1: leave"),
        (
            {"num_classes": 5},
            "lenet5:digits has 10 classes, not 5: leave num_classes out, or build",
        ),
        ({"form": "1998"}, "lenet5:digits was trained with form=taught, not form=1998"),
        ({"from": "1998"}, "Unknown option of lenet5 'from'"),
        ({"include_top": False, "input_shape": (32, 32, 3)}, "do not fit lenet5: their layer 'c1'"),
        ({"weights": "digit"}, "Unknown trained network 'lenet5:digit'. Did you mean"),
    ],
)
def test_arguments_that_contradict_trained_weights_are_refused(
    arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        cnn_keras.build("lenet5", **{"weights": "digits"} | arguments)


@pytest.mark.parametrize("network", ["lenet5", "alexnet", "nin", "vgg11", "googlenet", "resnet20"])
def test_layers_have_the_dtype_policy(network: str) -> None:
    model = anatomy.build_uninitialized(lambda: cnn_keras.build(network, dtype="mixed_bfloat16"))
    assert keras.config.dtype_policy().name == "float32"
    others = {layer.name for layer in model.layers if layer.dtype_policy.name == "float32"}
    assert "probabilities" in others
    assert all("lrn" in name for name in others - {"image", "probabilities"})


def test_initial_weights_do_not_depend_on_the_dtype_policy() -> None:
    weights = []
    for dtype in ("float32", "mixed_float16"):
        keras.utils.set_random_seed(3)
        weights.append(cnn_keras.build("resnet20", (8, 8, 1), 3, dtype=dtype).get_weights())
    assert all(np.array_equal(a, b) and a.dtype == b.dtype for a, b in zip(*weights, strict=True))
