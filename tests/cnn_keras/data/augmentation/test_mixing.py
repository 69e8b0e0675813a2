from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.augmentation.mixing import Mixing, beta_numbers, blend, mix, pasted_rectangles


def test_blended_images_equal_numpy() -> None:
    generator = np.random.default_rng(0)
    first, second = generator.random((2, 5, 4, 6, 3)).astype(np.float32)
    shares = generator.random(5).astype(np.float32)
    found = blend(tf.constant(first), tf.constant(second), tf.constant(shares))
    for row, a, b, share in zip(found.numpy(), first, second, shares, strict=True):
        np.testing.assert_allclose(row, share * a + (1 - share) * b, rtol=1e-5)


def test_pasted_rectangles_equal_numpy() -> None:
    """Algorithm A1 of arXiv:1905.04899."""
    numbers = np.random.default_rng(0).random((3, 500))
    found = pasted_rectangles(*tf.unstack(tf.constant(numbers, tf.float32)), 28, 40)
    expected = []
    for share, u_x, u_y in numbers.T:
        r_x, r_y = u_x * 40, u_y * 28
        r_w, r_h = 40 * math.sqrt(1 - share), 28 * math.sqrt(1 - share)
        x1, x2 = round(max(r_x - r_w / 2, 0)), round(min(r_x + r_w / 2, 40))
        y1, y2 = round(max(r_y - r_h / 2, 0)), round(min(r_y + r_h / 2, 28))
        expected.append((y1, y2, x1, x2))
    np.testing.assert_array_equal(np.stack(found, axis=1), expected)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 1.0, 8.0])
def test_2000_shares_have_the_moments_of_a_beta_distribution(alpha: float) -> None:
    shares = beta_numbers(alpha, 2_000, tf.constant([0, 0], tf.int64)).numpy()
    assert ((shares >= 0) & (shares <= 1)).all()
    assert abs(shares.mean() - 0.5) < 4 * shares.std() / math.sqrt(2_000)
    assert shares.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.1)


@pytest.mark.parametrize("mixing", [Mixing(0.5), Mixing(cutmix=1.0), Mixing(0.5, 1.0)])
def test_images_and_targets_are_mixed_in_the_same_shares(mixing: Mixing) -> None:
    count = 256  # image i has the value i at each pixel, so that its mean is its mixed target
    values = np.arange(count, dtype=np.float32)
    images = np.broadcast_to(values[:, None, None, None], (count, 16, 16, 2))
    targets = [{"main": np.eye(count, dtype=np.float32)}, values]
    tensors = tf.nest.map_structure(tf.constant, targets)
    seed = tf.constant([3, 4], tf.int64)
    mixed, (labels, weights) = mix(tf.constant(images), tensors, mixing, seed)
    again, _ = mix(tf.constant(images), tensors, mixing, seed)
    np.testing.assert_array_equal(mixed, again)
    mixed, rows = mixed.numpy(), labels["main"].numpy()
    np.testing.assert_allclose(mixed.mean(axis=(1, 2, 3)), weights, atol=1e-3)
    np.testing.assert_allclose(rows @ values, weights, atol=1e-3)
    np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-6)
    assert ((rows > 0).sum(axis=1) <= 2).all()
    partners = [int(np.delete(row, i).argmax()) for i, row in enumerate(rows)]
    assert len(set(partners)) > count / 2
    uniform = (np.ptp(mixed, axis=(1, 2, 3)) == 0).mean()  # blended, or nothing is pasted
    if not mixing.cutmix:
        assert uniform == 1
    elif mixing.mixup:
        assert 0.4 < uniform < 0.7
    else:
        assert uniform < 0.1
        pasted = np.isin(mixed, values)
        assert pasted.all()
