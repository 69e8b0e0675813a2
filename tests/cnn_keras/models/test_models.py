"""What every family must do, at a size that takes seconds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

import cnn_keras
from cnn_keras.data.datasets import load
from cnn_keras.zoo import ZOO

# A network of every builder, and every option of it once.
# fmt: off
FORMS = [
    ("lenet5", {}),
    ("lenet5", {"activation": "sigmoid"}),
    ("lenet5", {"form": "1998"}),
    ("alexnet", {"stem": "small"}),
    ("alexnet", {"form": "2014"}),
    ("alexnet", {"lrn": False}),
    ("nin", {}),
    ("vgg11", {}),
    ("vgg11", {"batch_normalization": True}),
    ("googlenet", {}),
    ("googlenet", {"normalization": "batch_norm", "stem": "small"}),
    ("googlenet", {"normalization": "none", "form": "torchvision"}),
    ("resnet18", {}),
    ("plain18", {}),
    ("resnet18", {"shortcut": "A", "stem": "small"}),
    ("resnet18", {"shortcut": "C"}),
    ("resnet50", {"stride_on": "3x3"}),
    ("resnet18", {"preactivation": True}),
    ("resnet20", {}),
    ("resnet20", {"shortcut": "B"}),
    ("resnet20", {"shortcut": "C"}),
    ("resnet20", {"branches": 5}),
]
# fmt: on
# The first form of each builder.
ONE_EACH = list({ZOO[name].builder: (name, options) for name, options in FORMS[::-1]}.values())


def side(network: str, options: dict[str, object]) -> int:
    """Return an odd number of pixels that the network takes."""
    return 69 if network == "alexnet" and options.get("stem") != "small" else 33


def images(shape: tuple[int, int, int], count: int = 2) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(count, *shape)).astype(np.float32)


@contextmanager
def channels_first() -> Iterator[None]:
    """Let Keras expect maps as a `keras.json` from the days of Theano says."""
    keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.config.set_image_data_format("channels_last")


def test_every_builder_is_tried() -> None:
    assert {ZOO[name].builder for name, _ in FORMS} == {row.builder for row in ZOO.values()}


@pytest.mark.parametrize(("index", "network", "options"), [(i, *f) for i, f in enumerate(FORMS)])
def test_survives_saving_and_loading(
    index: int, network: str, options: dict[str, object], tmp_path: Path
) -> None:
    channels = 1 if index % 2 else 3
    shape = (side(network, options), side(network, options) + 4, channels)
    model = cnn_keras.build(network, shape, 3, **options)
    expected = np.asarray(model(images(shape)))
    assert expected.shape == (2, 3)
    np.testing.assert_allclose(expected.sum(axis=1), 1, atol=1e-5)

    path = tmp_path / "model.keras"
    model.save(path)
    with channels_first():
        again = keras.saving.load_model(path)
        np.testing.assert_array_equal(np.asarray(again(images(shape))), expected)
        if (network, options) not in ONE_EACH:
            return
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        np.testing.assert_array_equal(np.asarray(clone(images(shape))), expected)
        rebuilt = cnn_keras.build(network, shape, 3, weights=path, **options)
        np.testing.assert_array_equal(np.asarray(rebuilt(images(shape))), expected)
        assert keras.config.image_data_format() == "channels_first"  # still


@pytest.mark.parametrize(("network", "options"), ONE_EACH)
def test_mixed_precision_gives_float32_probabilities(
    network: str, options: dict[str, object]
) -> None:
    shape = (side(network, options), side(network, options), 3)
    keras.utils.set_random_seed(0)
    exact = cnn_keras.build(network, shape, 4, **options)
    keras.config.set_dtype_policy("mixed_float16")
    try:
        mixed = cnn_keras.build(network, shape, 4, **options)
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(exact.get_weights())
    found = mixed(images(shape))
    assert keras.backend.standardize_dtype(found.dtype) == "float32"
    # Half precision has 11 significant bits; random networks amplify, softmax does not.
    np.testing.assert_allclose(found, exact(images(shape)), atol=0.1)


@pytest.mark.parametrize(("network", "options"), ONE_EACH)
def test_top_and_pooling_are_those_of_keras_applications(
    network: str, options: dict[str, object]
) -> None:
    shape = (side(network, options), side(network, options), 3)
    maps = cnn_keras.build(network, shape, include_top=False, name="trunk", **options)
    assert maps.name == "trunk"
    assert len(maps.output_shape) == 4
    x = images(shape)
    features = np.asarray(maps(x))
    for pooling, reduce in (("avg", np.mean), ("max", np.max)):
        with channels_first():
            pooled = cnn_keras.build(network, shape, include_top=False, pooling=pooling, **options)
        pooled.set_weights(maps.get_weights())
        np.testing.assert_allclose(pooled(x), reduce(features, axis=(1, 2)), rtol=1e-4, atol=1e-5)
    logits = cnn_keras.build(network, shape, 7, classifier_activation=None, **options)
    whole = cnn_keras.build(network, shape, 7, **options)
    whole.set_weights(logits.get_weights())
    found = np.asarray(keras.ops.softmax(logits(x)))
    np.testing.assert_allclose(whole(x), found, atol=1e-5)
    # The trunk is the beginning of the whole: the same layers in the same order.
    names = [layer.name for layer in maps.layers]
    assert [layer.name for layer in whole.layers[: len(names)]] == names


@pytest.mark.parametrize(
    ("network", "shape", "options"),
    [
        ("lenet5", (32, 32, 1), {}),
        pytest.param("alexnet", (32, 32, 1), {"stem": "small"}, marks=pytest.mark.slow),
        pytest.param("nin", (32, 32, 1), {}, marks=pytest.mark.slow),
        pytest.param("vgg11", (32, 32, 1), {}, marks=pytest.mark.slow),
        ("googlenet", (32, 32, 1), {}),
        ("resnet18", (32, 32, 1), {}),
        ("resnet20", (32, 32, 1), {}),
    ],
)
def test_learns_eight_real_images(
    network: str, shape: tuple[int, int, int], options: dict[str, object]
) -> None:
    keras.utils.set_random_seed(0)
    train = load("digits").train
    chosen = [int(np.flatnonzero(train.labels == digit)[0]) for digit in range(8)]
    x = (train.images[chosen].astype(np.float32) - 128) / 128
    y = train.labels[chosen]
    model = cnn_keras.build(network, shape, 10, **options)
    adam = keras.optimizers.Adam(5e-4)
    model.compile(adam, "sparse_categorical_crossentropy", jit_compile=False)  # XLA takes seconds
    # Normalization and dropout do in training what they do in training; the loss is of inference.
    for _ in range(80):
        model.fit(x, y, batch_size=8, epochs=5, verbose=0)
        loss = model.evaluate(x, y, verbose=0)
        if loss < 0.05:
            break
    assert loss < 0.05


def test_auxiliary_classifiers_hang_on_4a_and_4d() -> None:
    shape = (224, 224, 3)
    model = cnn_keras.build("googlenet", shape, 5, auxiliary=True)
    assert [tensor.shape for tensor in model.outputs] == [(None, 5)] * 3
    heads = {layer.name: layer for layer in model.layers if "_aux_" in layer.name}
    assert heads["4a_aux_pool"].output.shape == (None, 4, 4, 512)
    assert heads["4d_aux_pool"].output.shape == (None, 4, 4, 528)
    for row in ("4a", "4d"):
        assert heads[f"{row}_aux_pool"].input is model.get_layer(f"{row}_concat").output
        assert heads[f"{row}_aux_conv"].output.shape[-1] == 128
        assert heads[f"{row}_aux_fc"].units == 1024
        assert heads[f"{row}_aux_fc_dropout"].rate == 0.7


def test_strides_of_a_bottleneck_are_where_they_are_asked_for() -> None:
    for stride_on, letter in (("1x1", "a"), ("3x3", "b")):
        model = cnn_keras.build("resnet50", (64, 64, 3), stride_on=stride_on)
        strided = [
            layer.name
            for layer in model.layers
            if isinstance(layer, keras.layers.Conv2D)
            and layer.strides == (2, 2)
            and "shortcut" not in layer.name
        ]
        assert strided == ["conv1", *(f"conv{stage}_1_{letter}" for stage in (3, 4, 5))]


def test_preactivation_leaves_the_shortcut_clear() -> None:
    model = cnn_keras.build("resnet18", (32, 32, 3), preactivation=True)
    names = [layer.name for layer in model.layers]
    assert "conv2_1_a_bn" not in names  # conv1 is activated already
    module = names[names.index("conv2_2_a_bn") : names.index("conv2_2_add") + 1]
    assert module == [
        *("conv2_2_a_bn", "conv2_2_a_relu", "conv2_2_a"),
        *("conv2_2_b_bn", "conv2_2_b_relu", "conv2_2_b"),
        "conv2_2_add",
    ]
    assert model.get_layer("conv3_1_a_bn").input is model.get_layer("conv2_2_add").output
