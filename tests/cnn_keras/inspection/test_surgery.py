from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_keras import build
from cnn_keras.blocks import classifier, conv_bn_relu
from cnn_keras.errors import UsageError
from cnn_keras.inspection.surgery import split_into_modules, variant_outputs
from cnn_keras.models.cifar_resnet import SECTION_4_2, cifar_resnet, residual_module
from tests.fixtures.small_networks import with_random_normalization

SHAPE = (12, 12, 2)
IMAGES = np.random.default_rng(0).normal(size=(5, *SHAPE)).astype("float32")


def assert_close(found: Any, expected: Any) -> None:
    """Equal but for the order of float32 sums, relative to the largest number."""
    expected = np.array(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def small(depth: int = 14, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE, name="image")
    return with_random_normalization(
        keras.Model(image, cifar_resnet(image, 3, None, depth=depth, **options), name="small")
    )


def composed(original: keras.Model, rows: list[str], shortcut: Any) -> keras.Model:
    """The network of `cifar_resnet`, built with only some of its modules."""
    image = keras.Input(SHAPE)
    x = conv_bn_relu(image, 16, 3, name="conv1")
    for stage in SECTION_4_2:
        for i in range(1, 3):
            row = f"{stage.row}_{i}"
            strides = 2 if i == 1 and stage is not SECTION_4_2[0] else 1
            if row in rows:
                x = residual_module(x, stage.filters, strides, shortcut, row)
            elif strides == 2 and shortcut == "A":
                zeros = ops.zeros_like(x[:, ::2, ::2])
                x = ops.concatenate([x[:, ::2, ::2], zeros], axis=-1)
            elif strides == 2:
                projection = layers.Conv2D(
                    stage.filters, 1, 2, use_bias=False, name=f"{row}_shortcut"
                )
                normalization = layers.BatchNormalization(epsilon=1e-5, name=f"{row}_shortcut_bn")
                x = ops.relu(normalization(projection(x)))
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, classifier(x, 3, None))
    kept = {layer.name: layer.get_weights() for layer in original.layers}
    for layer in model.layers:
        if layer.weights:
            layer.set_weights(kept[layer.name])
    return model


ROWS = ["conv2_1", "conv2_2", "conv3_1", "conv3_2", "conv4_1", "conv4_2"]


@pytest.mark.parametrize("shortcut", ["A", "B"])
@pytest.mark.parametrize("deleted", [["conv2_2"], ["conv2_1", "conv3_1", "conv4_2"]])
def test_a_network_without_modules_equals_one_built_without_them(
    shortcut: str, deleted: list[str]
) -> None:
    model = small(shortcut=shortcut)
    network = split_into_modules(model)
    assert [module.row for module in network.modules] == ROWS
    assert [m.row for m in network.modules if m.changes_shape] == ["conv3_1", "conv4_1"]
    ((_, found),) = variant_outputs([network.without([ROWS.index(row) for row in deleted])], IMAGES)
    rest = [row for row in ROWS if row not in deleted]
    expected = np.array(composed(model, rest, shortcut)(IMAGES))
    assert_close(found, expected)
    assert np.ptp(expected, axis=0).min() > 1e-3
    assert np.abs(found - model(IMAGES)).max() > 1e-3


def test_the_parts_make_up_the_network() -> None:
    model = small()
    network = split_into_modules(model)
    assert_close(network(IMAGES), model(IMAGES))
    x = network.stem(IMAGES)
    for row, module in zip(ROWS, network.modules, strict=True):
        inside = keras.Model(
            model.input,
            [model.get_layer(f"{row}_b_bn").output, model.get_layer(f"{row}_add").output],
        )
        branch, total = inside(IMAGES)
        assert_close(module.branch(x), branch)
        assert_close(module.branch(x) + module.shortcut(x), total)
        x = module(x)


def test_the_parts_share_the_networks_weights() -> None:
    model = small()
    network = split_into_modules(model)
    before = np.array(network(IMAGES))
    kernel = model.get_layer("conv3_2_a").kernel
    kernel.assign(2 * kernel)
    assert np.abs(network(IMAGES) - before).max() > 1e-3


@pytest.mark.parametrize("shortcut", ["A", "none"])
def test_variants_computed_together_equal_each_alone(shortcut: str) -> None:
    network = split_into_modules(small(8, shortcut=shortcut))
    count = len(network.modules)
    deleted = [(), *((i,) for i in range(count)), (0, 2), (0, 1), (0, 2)]
    variants = [network.without(indices) for indices in deleted]
    shared = dict(variant_outputs(variants, IMAGES))
    assert sorted(shared) == list(range(len(variants)))
    for index, variant in enumerate(variants):
        x = IMAGES
        for part in variant:
            x = part.predict_on_batch(x)
        np.testing.assert_array_equal(shared[index], x)
    np.testing.assert_array_equal(shared[count + 1], shared[count + 3])
    assert len({shared[index].tobytes() for index in range(count + 1)}) == count + 1


def test_a_plain_layer_is_replaced_by_identity_or_shortcut_a() -> None:
    model = small(8, shortcut="none")
    network = split_into_modules(model)
    names = [f"conv{stage}_1_{role}" for stage in (2, 3, 4) for role in "ab"]
    assert [module.row for module in network.modules] == ["conv1", *names]
    assert [m.row for m in network.modules if m.changes_shape] == [
        "conv1",
        "conv3_1_a",
        "conv4_1_a",
    ]
    x = np.random.default_rng(2).normal(size=(2, 12, 12, 16)).astype("float32")
    np.testing.assert_array_equal(network.modules[1].without_branch(x), x)
    narrowed = np.concatenate([x[:, ::2, ::2], np.zeros((2, 6, 6, 16))], axis=-1)
    np.testing.assert_array_equal(network.modules[3].without_branch(x), narrowed)


@pytest.mark.parametrize("name", ["conv2_pad", "before_conv2", "zero_padding2d"])
def test_padding_belongs_to_the_convolution_after_it(name: str) -> None:
    image = keras.Input(SHAPE)
    x = layers.ReLU()(layers.Conv2D(4, 3, padding="same", name="conv1")(image))
    x = layers.ZeroPadding2D(1, name=name)(x)
    x = layers.ReLU()(layers.Conv2D(4, 3, name="conv2")(x))
    network = split_into_modules(keras.Model(image, x, name="padded"))
    maps = np.random.default_rng(2).normal(size=(2, 12, 12, 4)).astype("float32")
    np.testing.assert_array_equal(network.modules[1].without_branch(maps), maps)


def test_modules_of_one_shape_are_interchangeable() -> None:
    model = small()
    network = split_into_modules(model)
    assert network.interchangeable == [[0, 1], [3], [5]]
    order = [1, 0, 2, 3, 4, 5]
    same, other = (
        scores
        for _, scores in sorted(
            variant_outputs([network.reordered(range(6)), network.reordered(order)], IMAGES),
            key=lambda pair: pair[0],
        )
    )
    assert_close(same, model(IMAGES))
    layers = {layer.name: layer.get_weights() for layer in model.layers}
    for layer in model.layers:
        first, second = layer.name.startswith("conv2_1"), layer.name.startswith("conv2_2")
        if first or second:
            rows = ("conv2_1", "conv2_2") if first else ("conv2_2", "conv2_1")
            layer.set_weights(layers[layer.name.replace(*rows)])
    assert_close(other, model(IMAGES))
    assert np.abs(other - same).max() > 1e-3


def test_a_pooling_stays_when_the_layer_before_it_is_deleted() -> None:
    model = build("vgg11", (32, 32, 1), include_top=False, batch_normalization=True)
    network = split_into_modules(model)
    assert [module.row for module in network.modules] == [
        layer.name for layer in model.layers if isinstance(layer, layers.Conv2D)
    ]
    x = np.random.default_rng(2).normal(size=(2, 8, 8, 256)).astype("float32")
    assert network.interchangeable == [[6, 7]]  # poolings follow conv3_2 and conv4_2
    pooled = x.reshape(2, 4, 2, 4, 2, 256).max(axis=(2, 4))
    np.testing.assert_array_equal(network.modules[3].without_branch(x), pooled)
    images = np.random.default_rng(3).normal(size=(2, 32, 32, 1)).astype("float32")
    ((_, found),) = variant_outputs([network.without()], images)
    assert_close(found, model(images))


@pytest.mark.parametrize(
    ("network", "shape"),
    [("googlenet", (96, 96, 3)), ("nin", (32, 32, 3)), ("lenet5", (32, 32, 1))],
)
def test_other_networks_are_refused(network: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match=network):
        split_into_modules(build(network, shape))
