from __future__ import annotations

import numpy as np
import pytest

from cnn_keras.data.augmentation import Augmentation, augment


def augmented(images: np.ndarray, augmentation: Augmentation) -> np.ndarray:
    import tensorflow as tf

    seed = tf.constant([0, 0], tf.int64)
    result: np.ndarray = augment(tf.constant(images), augmentation, seed).numpy()
    return result


def test_images_are_shifted_within_the_limit_and_half_of_them_mirrored() -> None:
    image = np.zeros((256, 32, 32, 1), np.float32)
    image[:, 16, 10] = 1
    moved = augmented(image, Augmentation(shift=4 / 32, flip=True))
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
    moved = augmented(image, Augmentation(shift=1 / 8))
    _, rows, columns, _ = np.nonzero(moved)
    for found, side in ((rows, height), (columns, width)):
        assert set(found) == set(range(side // 2 - side // 8, side // 2 + side // 8 + 1))


def test_images_are_rotated_about_the_center() -> None:
    image = np.zeros((64, 33, 33, 1), np.float32)
    image[:, 16, 16] = 255
    image[:, 16, 30] = 255
    moved = augmented(image, Augmentation(rotation=10.0))
    assert (moved[:, 16, 16, 0] > 250).all()
    heights = moved[:, :, 24:, 0].sum(axis=2).argmax(axis=1)
    assert heights.min() < 16 < heights.max()
    assert abs(heights - 16).max() <= 3  # 14 pixels out, 10 degrees: 2.4 pixels
