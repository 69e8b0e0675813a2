from __future__ import annotations

import math

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.augmentation import (
    Augmentation,
    Mixing,
    augment,
    beta_numbers,
    blend,
    erase,
    erased_rectangles,
    mix,
    pasted_rectangles,
)
from cnn_keras.data.pipeline import training_batches
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split


def augmented(images: np.ndarray, augmentation: Augmentation) -> np.ndarray:
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
    mask = found.mask(28, 40).numpy()
    for inside, (top, bottom, left, right) in zip(mask, expected, strict=True):
        filled = np.zeros((28, 40, 1), bool)
        filled[top:bottom, left:right] = True
        np.testing.assert_array_equal(inside, filled)


def seeds(count: int) -> tf.Tensor:
    return tf.stack([tf.zeros(count, tf.int64), tf.range(count, dtype=tf.int64)], axis=1)


def test_2000_rectangles_have_the_areas_and_ratios_of_the_paper() -> None:
    images = np.full((2_000, 100, 120, 1), -1, np.float32)
    erased = erase(tf.constant(images), 0.5, seeds(2_000)).numpy() >= 0
    changed = erased.any(axis=(1, 2, 3))
    assert abs(changed.mean() - 0.5) < 0.04  # 3.6 standard deviations
    rows, columns = erased.any(axis=(2, 3))[changed], erased.any(axis=(1, 3))[changed]
    heights, widths = rows.sum(axis=1), columns.sum(axis=1)
    areas = heights * widths
    np.testing.assert_array_equal(erased[changed].sum(axis=(1, 2, 3)), areas)
    # Each side is rounded by less than a pixel.
    assert ((heights + 1) * (widths + 1) > 0.02 * 12_000).all()
    assert ((heights - 1) * (widths - 1) < 0.4 * 12_000).all()
    assert ((heights + 1) / (widths - 1) > 0.3).all()
    assert ((heights - 1) / (widths + 1) < 1 / 0.3).all()
    assert areas.min() < 0.03 * 12_000
    assert areas.max() > 0.36 * 12_000
    assert (heights / widths).min() < 0.4
    assert (heights / widths).max() > 2.5
    for places, side in ((rows, 100), (columns, 120)):  # everywhere in the image
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


def epochs_of(batch_size: int, first_epoch: int = 0) -> dict[tuple[int, int], np.ndarray]:
    """Return the image of each index in each epoch."""
    split = Split(np.zeros((48, 16, 16, 3), np.uint8), np.arange(48, dtype=np.int64))
    preprocessing = Preprocessing(16, 16, 3, (0.0,) * 3, (1.0,) * 3)
    batches = training_batches(
        split,
        preprocessing,
        Augmentation(random_erasing=1.0),
        batch_size=batch_size,
        epochs=2,
        seed=3,
        first_epoch=first_epoch,
    )
    images = {}
    for step, (pixels, labels) in enumerate(batches):
        epoch = first_epoch + step // (48 // batch_size)
        images |= {(epoch, int(y)): x for x, y in zip(pixels.numpy(), labels.numpy(), strict=True)}
    return images


def test_an_image_depends_on_seed_epoch_and_index_alone() -> None:
    small, large, resumed = epochs_of(8), epochs_of(24), epochs_of(16, first_epoch=1)
    assert len(small) == 96
    assert len({image.tobytes() for image in small.values()}) == 96
    for key, image in large.items():
        np.testing.assert_array_equal(small[key], image)
    assert len(resumed) == 48
    for key, image in resumed.items():
        np.testing.assert_array_equal(small[key], image)


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
