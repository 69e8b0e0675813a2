from __future__ import annotations

import keras
import numpy as np
import pytest

from cnn_keras.blocks import LocalResponseNormalization, conv, max_pool


@pytest.mark.parametrize("beta", [0.75, 0.5, 1.0])
@pytest.mark.parametrize(
    ("depth_radius", "channels"), [(0, 5), (1, 6), (2, 96), (2, 24), (5, 5), (7, 3), (20, 64)]
)
def test_lrn_and_its_gradient_equal_those_of_tensorflow(
    depth_radius: int, channels: int, beta: float
) -> None:
    import tensorflow as tf

    generator = np.random.default_rng(depth_radius)
    x, weight = (
        tf.constant(generator.normal(size=(2, 5, 4, channels), scale=30), tf.float32)
        for _ in range(2)
    )
    layer = LocalResponseNormalization(depth_radius, 2.0, 1e-2, beta)
    found = []
    for normalize in (layer, lambda x: tf.nn.lrn(x, depth_radius, 2.0, 1e-2, beta)):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = normalize(x)
            total = tf.reduce_sum(y * weight)
        found.append((y, tape.gradient(total, x)))
    for ours, theirs in zip(*found, strict=True):
        # Another order of summation changes the last bits of float32.
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=3e-6 * np.abs(theirs).max())


@pytest.mark.parametrize("size", [7, 8, 224, 225])
@pytest.mark.parametrize(("kernel_size", "strides"), [(7, 2), (3, 2), (1, 2), (3, 1), (11, 4)])
def test_symmetric_padding_gives_the_output_size_of_same(
    size: int, kernel_size: int, strides: int
) -> None:
    image = keras.Input((size, size, 2))
    options = {"name": "conv", "use_bias": False}
    same, symmetric = (
        conv(image, 3, kernel_size, strides, padding=padding, **options)
        for padding in ("same", "symmetric")
    )
    assert same.shape == symmetric.shape == (None, -(-size // strides), -(-size // strides), 3)


def test_symmetric_padding_pads_all_sides_as_torch_does() -> None:
    image = keras.Input((8, 8, 1))
    x = np.random.default_rng(0).normal(size=(1, 8, 8, 1)).astype("float32")
    corner = {}
    for padding in ("symmetric", "same"):
        y = conv(image, 1, 3, 2, padding=padding, name="conv", use_bias=False)
        model = keras.Model(image, y)
        model.get_layer("conv").kernel.assign(np.ones((3, 3, 1, 1)))
        corner[padding] = float(model(x)[0, 0, 0, 0])
    assert corner["symmetric"] == pytest.approx(x[0, :2, :2].sum(), rel=1e-5)
    assert corner["same"] == pytest.approx(x[0, :3, :3].sum(), rel=1e-5)


def test_symmetric_max_pooling_pads_with_minus_infinity() -> None:
    image = keras.Input((6, 6, 2))
    pool = keras.Model(image, max_pool(image, 3, 2, padding="symmetric", name="pool"))
    x = np.abs(np.random.default_rng(0).normal(size=(1, 6, 6, 2))).astype("float32")
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    np.testing.assert_array_equal(pool(x), windows[:, ::2, ::2].max(axis=(-2, -1)))
