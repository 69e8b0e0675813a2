from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.augmentation.geometry import move


def moved_at_random(
    images: np.ndarray, shift: float = 0.0, rotation: float = 0.0, flip: bool = False
) -> np.ndarray:
    numbers = np.random.default_rng(0).random((len(images), 4), np.float32)
    moved: np.ndarray = move(tf.constant(images), shift, rotation, flip, tf.constant(numbers))
    return np.asarray(moved)


def test_images_are_shifted_within_the_limit_and_half_of_them_mirrored() -> None:
    image = np.zeros((256, 32, 32, 1), np.float32)
    image[:, 16, 10] = 1
    moved = moved_at_random(image, shift=4 / 32, flip=True)
    _, rows, columns, _ = np.nonzero(moved)
    assert len(rows) == 256  # a shift by whole pixels keeps the point
    assert set(rows) == set(range(12, 21))
    mirrored = columns > 16
    assert 96 < mirrored.sum() < 160
    assert set(columns[~mirrored]) == set(range(6, 15))
    assert set(columns[mirrored]) == {31 - c for c in range(6, 15)}


@pytest.mark.parametrize(("height", "width"), [(32, 16), (16, 32), (8, 64), (24, 24)])
def test_a_shift_is_a_fraction_of_the_side_along_it(height: int, width: int) -> None:
    image = np.zeros((512, height, width, 1), np.float32)
    image[:, height // 2, width // 2] = 1
    moved = moved_at_random(image, shift=1 / 8)
    _, rows, columns, _ = np.nonzero(moved)
    for found, side in ((rows, height), (columns, width)):
        assert set(found) == set(range(side // 2 - side // 8, side // 2 + side // 8 + 1))


def test_images_are_rotated_about_the_center() -> None:
    image = np.zeros((64, 33, 33, 1), np.float32)
    image[:, 16, 16] = 255
    image[:, 16, 30] = 255
    moved = moved_at_random(image, rotation=10.0)
    assert (moved[:, 16, 16, 0] > 250).all()
    heights = moved[:, :, 24:, 0].sum(axis=2).argmax(axis=1)
    assert heights.min() < 16 < heights.max()
    assert abs(heights - 16).max() <= 3  # 14 pixels out, 10 degrees: 2.4 pixels


@pytest.mark.parametrize("flip", [False, True])
def test_shifted_and_mirrored_images_equal_numpy(flip: bool) -> None:
    generator = np.random.default_rng(0)
    images = generator.random((40, 12, 16, 3), np.float32)
    numbers = generator.random((40, 4), np.float32)
    found = move(tf.constant(images), 1 / 4, 0.0, flip, tf.constant(numbers)).numpy()
    for image, (u_x, u_y, _, u_mirror), moved in zip(images, numbers, found, strict=True):
        dx, dy = math.floor(u_x * 9) - 4, math.floor(u_y * 7) - 3
        # The output pixel (y, x) copies (y + dy, x + dx) of an image with a black border.
        expected = np.pad(image, ((3, 3), (4, 4), (0, 0)))
        expected = expected[3 + dy : 15 + dy, 4 + dx : 20 + dx]
        if flip and u_mirror < 0.5:
            padded = np.pad(image[:, ::-1], ((3, 3), (4, 4), (0, 0)))
            expected = padded[3 + dy : 15 + dy, 4 - dx : 20 - dx]
        np.testing.assert_array_equal(moved, expected)


def test_rotated_images_equal_numpy() -> None:
    generator = np.random.default_rng(1)
    images = generator.random((20, 12, 16, 3), np.float32)
    numbers = generator.random((20, 4), np.float32)
    found = move(tf.constant(images), 1 / 4, 40.0, True, tf.constant(numbers)).numpy()
    y, x = np.mgrid[:12, :16] - np.array([5.5, 7.5])[:, None, None]
    for image, (u_x, u_y, u_angle, u_mirror), moved in zip(images, numbers, found, strict=True):
        angle = math.radians(40 * (2 * float(u_angle) - 1))
        # From the output pixel to its place in the input, about the center.
        columns = math.cos(angle) * x - math.sin(angle) * y
        rows = math.sin(angle) * x + math.cos(angle) * y
        columns = columns * (-1 if u_mirror < 0.5 else 1) + 7.5 + math.floor(u_x * 9) - 4
        rows = rows + 5.5 + math.floor(u_y * 7) - 3
        padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
        expected = np.zeros(image.shape)
        for row in (np.floor(rows), np.floor(rows) + 1):
            for column in (np.floor(columns), np.floor(columns) + 1):
                share = (1 - np.abs(rows - row)) * (1 - np.abs(columns - column))
                at = (
                    (np.clip(row, -1, 12) + 1).astype(int),
                    (np.clip(column, -1, 16) + 1).astype(int),
                )
                expected += share[..., None] * padded[at]
        np.testing.assert_allclose(moved, expected, atol=1e-4)
