from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.augmentation.erasing import erase, erased_rectangles


def reference_rectangle(
    numbers: np.ndarray, probability: float, height: int, width: int
) -> tuple[int, int, int, int]:
    """Algorithm 1 of arXiv:1708.04896 for one image: top, bottom, left and right."""
    if numbers[0] >= probability:
        return 0, 0, 0, 0
    for u_area, u_ratio, u_left, u_top in numbers[1:].reshape(-1, 4):
        area = np.interp(u_area, (0, 1), (0.02, 0.4)) * height * width
        ratio = np.interp(u_ratio, (0, 1), (0.3, 1 / 0.3))
        h, w = math.sqrt(area * ratio), math.sqrt(area / ratio)
        x, y = u_left * width, u_top * height
        if x + w <= width and y + h <= height:
            return round(y), round(y + h), round(x), round(x + w)
    return 0, 0, 0, 0


@pytest.mark.parametrize("attempts", [1, 8])
def test_the_rectangle_equals_numpy(attempts: int) -> None:
    numbers = np.random.default_rng(0).random((200, 1 + 4 * attempts))
    found = erased_rectangles(tf.constant(numbers, tf.float32), 0.7, 28, 40)
    expected = [reference_rectangle(row, 0.7, 28, 40) for row in numbers]
    np.testing.assert_array_equal(np.stack(found, axis=1), expected)


def seeds(count: int) -> tf.Tensor:
    return tf.stack([tf.zeros(count, tf.int64), tf.range(count, dtype=tf.int64)], axis=1)


def test_2000_rectangles_have_the_areas_and_ratios_of_the_paper() -> None:
    images = np.full((2_000, 50, 60, 1), -1, np.float32)
    erased = erase(tf.constant(images), 0.5, seeds(2_000)).numpy() >= 0
    changed = erased.any(axis=(1, 2, 3))
    assert abs(changed.mean() - 0.5) < 0.04  # 3.6 standard deviations
    rows, columns = erased.any(axis=(2, 3))[changed], erased.any(axis=(1, 3))[changed]
    heights, widths = rows.sum(axis=1), columns.sum(axis=1)
    areas = heights * widths
    np.testing.assert_array_equal(erased[changed].sum(axis=(1, 2, 3)), areas)
    # Each side is rounded by less than a pixel.
    assert ((heights + 1) * (widths + 1) > 0.02 * 3_000).all()
    assert ((heights - 1) * (widths - 1) < 0.4 * 3_000).all()
    assert ((heights + 1) / (widths - 1) > 0.3).all()
    assert ((heights - 1) / (widths + 1) < 1 / 0.3).all()
    assert areas.min() < 0.03 * 3_000
    assert areas.max() > 0.36 * 3_000
    assert (heights / widths).min() < 0.4
    assert (heights / widths).max() > 2.5
    for places, side in ((rows, 50), (columns, 60)):  # everywhere in the image
        first, end = places.argmax(axis=1), side - places[:, ::-1].argmax(axis=1)
        assert first.min() <= 2
        assert end.max() >= side - 2


def test_the_rectangle_is_filled_with_random_values_and_the_rest_is_kept() -> None:
    images = np.full((200, 32, 32, 3), -1, np.float32)
    found = erase(tf.constant(images), 1.0, seeds(200)).numpy()
    values = found[found != -1]
    assert 0 <= values.min() < 1
    assert 254 < values.max() < 255
    assert abs(values.mean() - 127.5) < 1
    assert abs(values.std() - 255 / math.sqrt(12)) < 1
    np.testing.assert_array_equal((found == -1).any(axis=3), (found == -1).all(axis=3))
