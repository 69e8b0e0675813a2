"""What holds for every family of networks, on images small enough to take seconds."""

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

# A network of every builder, with each of its options once.
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
    """Set the data format that an old `keras.json` may have set."""
    keras.config.set_image_data_format("channels_first")
    try:
        yield
    finally:
        keras.config.set_image_data_format("channels_last")


def test_every_builder_is_tested() -> None:
    assert {ZOO[name].builder for name, _ in FORMS} == {row.builder for row in ZOO.values()}


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("index", "network", "options"), [(i, *f) for i, f in enumerate(FORMS)])
def test_a_loaded_model_computes_the_same(
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
        assert keras.config.image_data_format() == "channels_first"


@pytest.mark.usefixtures("narrow")
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


@pytest.mark.usefixtures("narrow")
@pytest.mark.parametrize(("network", "options"), ONE_EACH)
def test_include_top_and_pooling_match_keras_applications(
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
    # The network without its top begins with the same layers in the same order.
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
    adam.build(model.trainable_variables)  # otherwise Keras traces the first step twice
    loss = model.test_on_batch(x, y)
    # The loss is of inference: normalization and dropout behave otherwise than in training.
    for _ in range(80):
        for _ in range(5):
            model.train_on_batch(x, y)
        loss = model.test_on_batch(x, y)
        if loss < 0.05:
            break
    assert loss < 0.05
