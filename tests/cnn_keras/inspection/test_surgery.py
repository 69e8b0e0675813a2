from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_keras import build
from cnn_keras.blocks import classifier, conv_bn_relu
from cnn_keras.errors import UsageError
from cnn_keras.inspection.surgery import cut, outputs
from cnn_keras.models.cifar_resnet import SECTION_4_2, cifar_resnet, module
from tests.fixtures.small_networks import with_random_normalization

SHAPE = (12, 12, 2)
IMAGES = np.random.default_rng(0).normal(size=(5, *SHAPE)).astype("float32")


def assert_close(found: Any, expected: Any) -> None:
    """Equal but for the order of sums, whatever size random layers have made the numbers."""
    expected = np.array(expected)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def small(depth: int = 14, **options: Any) -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input(SHAPE, name="image")
    return with_random_normalization(
        keras.Model(image, cifar_resnet(image, 3, None, depth=depth, **options), name="small")
    )


def composed(original: keras.Model, rows: list[str], shortcut: Any) -> keras.Model:
    """The network of `cifar_resnet`, written down anew with only some of its modules."""
    image = keras.Input(SHAPE)
    x = conv_bn_relu(image, 16, 3, name="conv1")
    for stage in SECTION_4_2:
        for i in range(1, 3):
            row = f"{stage.row}_{i}"
            strides = 2 if i == 1 and stage is not SECTION_4_2[0] else 1
            if row in rows:
                x = module(x, stage.filters, strides, shortcut, row)
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
@pytest.mark.parametrize("gone", [["conv2_2"], ["conv2_1", "conv3_1", "conv4_2"]])
def test_deleting_modules_leaves_the_network_composed_without_them(
    shortcut: str, gone: list[str]
) -> None:
    model = small(shortcut=shortcut)
    chain = cut(model)
    assert [module.row for module in chain.modules] == ROWS
    assert [m.row for m in chain.modules if m.changes_shape] == ["conv3_1", "conv4_1"]
    ((_, found),) = outputs([chain.without([ROWS.index(row) for row in gone])], IMAGES)
    rest = [row for row in ROWS if row not in gone]
    expected = np.array(composed(model, rest, shortcut)(IMAGES))
    assert_close(found, expected)
    assert np.ptp(expected, axis=0).min() > 1e-3
    assert np.abs(found - model(IMAGES)).max() > 1e-3


def test_the_callables_are_the_network() -> None:
    model = small()
    chain = cut(model)
    assert_close(chain(IMAGES), model(IMAGES))
    x = chain.before(IMAGES)
    for row, piece in zip(ROWS, chain.modules, strict=True):
        inside = keras.Model(
            model.input,
            [model.get_layer(f"{row}_b_bn").output, model.get_layer(f"{row}_add").output],
        )
        branch, total = inside(IMAGES)
        assert_close(piece.branch(x), branch)
        assert_close(piece.branch(x) + piece.shortcut(x), total)
        x = piece(x)


def test_pieces_share_the_networks_weights() -> None:
    model = small()
    chain = cut(model)
    before = np.array(chain(IMAGES))
    kernel = model.get_layer("conv3_2_a").kernel
    kernel.assign(2 * kernel)
    assert np.abs(chain(IMAGES) - before).max() > 1e-3


@pytest.mark.parametrize("shortcut", ["A", "none"])
def test_plans_that_share_their_beginning_answer_as_each_alone(shortcut: str) -> None:
    chain = cut(small(8, shortcut=shortcut))
    count = len(chain.modules)
    gone = [(), *((i,) for i in range(count)), (0, 2), (0, 1), (0, 2)]
    plans = [chain.without(places) for places in gone]
    shared = dict(outputs(plans, IMAGES))
    assert sorted(shared) == list(range(len(plans)))
    for place, plan in enumerate(plans):
        x = IMAGES
        for piece in plan:
            x = piece.predict_on_batch(x)
        np.testing.assert_array_equal(shared[place], x)
    np.testing.assert_array_equal(shared[count + 1], shared[count + 3])
    assert len({shared[place].tobytes() for place in range(count + 1)}) == count + 1


def test_a_plain_layer_is_replaced_by_identity_or_shortcut_a() -> None:
    model = small(8, shortcut="none")
    chain = cut(model)
    names = [f"conv{stage}_1_{role}" for stage in (2, 3, 4) for role in "ab"]
    assert [module.row for module in chain.modules] == ["conv1", *names]
    assert [m.row for m in chain.modules if m.changes_shape] == ["conv1", "conv3_1_a", "conv4_1_a"]
    x = np.random.default_rng(2).normal(size=(2, 12, 12, 16)).astype("float32")
    np.testing.assert_array_equal(chain.modules[1].deleted(x), x)
    narrowed = np.concatenate([x[:, ::2, ::2], np.zeros((2, 6, 6, 16))], axis=-1)
    np.testing.assert_array_equal(chain.modules[3].deleted(x), narrowed)


@pytest.mark.parametrize("name", ["conv2_pad", "before_conv2", "zero_padding2d"])
def test_padding_goes_with_the_convolution_that_reads_it(name: str) -> None:
    image = keras.Input(SHAPE)
    x = layers.ReLU()(layers.Conv2D(4, 3, padding="same", name="conv1")(image))
    x = layers.ZeroPadding2D(1, name=name)(x)
    x = layers.ReLU()(layers.Conv2D(4, 3, name="conv2")(x))
    chain = cut(keras.Model(image, x, name="padded"))
    maps = np.random.default_rng(2).normal(size=(2, 12, 12, 4)).astype("float32")
    np.testing.assert_array_equal(chain.modules[1].deleted(maps), maps)


def test_modules_of_one_shape_may_change_places() -> None:
    model = small()
    chain = cut(model)
    assert chain.exchangeable == [[0, 1], [3], [5]]
    order = [1, 0, 2, 3, 4, 5]
    same, other = (
        scores
        for _, scores in sorted(
            outputs([chain.reordered(range(6)), chain.reordered(order)], IMAGES),
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


def test_a_pooling_outlives_the_layer_before_it() -> None:
    model = build("vgg11", (32, 32, 1), include_top=False, batch_normalization=True)
    chain = cut(model)
    assert [module.row for module in chain.modules] == [
        layer.name for layer in model.layers if isinstance(layer, layers.Conv2D)
    ]
    x = np.random.default_rng(2).normal(size=(2, 8, 8, 256)).astype("float32")
    assert chain.exchangeable == [[6, 7]]  # poolings follow conv3_2 and conv4_2
    pooled = x.reshape(2, 4, 2, 4, 2, 256).max(axis=(2, 4))
    np.testing.assert_array_equal(chain.modules[3].deleted(x), pooled)
    images = np.random.default_rng(3).normal(size=(2, 32, 32, 1)).astype("float32")
    ((_, found),) = outputs([chain.without()], images)
    assert_close(found, model(images))


@pytest.mark.parametrize(
    ("network", "shape"),
    [("googlenet", (96, 96, 3)), ("nin", (32, 32, 3)), ("lenet5", (32, 32, 1))],
)
def test_what_is_no_chain_is_refused(network: str, shape: tuple[int, int, int]) -> None:
    with pytest.raises(UsageError, match=network):
        cut(build(network, shape))
