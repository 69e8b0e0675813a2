from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.augmentation.rand_augment import Operation, all_operations, rand_augment

Pixels = np.ndarray[Any, Any]
HEIGHT, WIDTH = 20, 24


def moved(image: Pixels, matrix: list[list[float]]) -> Pixels:
    """Copy each pixel from its place by an affine matrix, bilinear, with black outside."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    x, y = (a * x + b * y + c for a, b, c in matrix)
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    result = np.zeros(image.shape)
    for row in (np.floor(y), np.floor(y) + 1):
        for column in (np.floor(x), np.floor(x) + 1):
            share = (1 - np.abs(y - row)) * (1 - np.abs(x - column))
            rows = np.clip(row + 1, 0, HEIGHT + 1).astype(int)
            columns = np.clip(column + 1, 0, WIDTH + 1).astype(int)
            result += share[..., None] * padded[rows, columns]
    return result


def auto_contrast(image: Pixels, _: float) -> Pixels:
    low, high = image.min(axis=(0, 1)), image.max(axis=(0, 1))
    return (image - low) / (high - low) * 255


def equalize(image: Pixels, _: float) -> Pixels:
    channels = []
    for channel in np.moveaxis(image.astype(int), 2, 0):
        counts = np.cumsum(np.bincount(channel.ravel(), minlength=256))
        first = counts[channel.min()]
        channels.append(np.rint((counts - first) * 255 / (counts[-1] - first))[channel])
    return np.stack(channels, axis=2)


def rotate(image: Pixels, strength: float) -> Pixels:
    angle = math.radians(30 * strength)
    c, s = math.cos(angle), math.sin(angle)
    to_center = np.array([[1, 0, (WIDTH - 1) / 2], [0, 1, (HEIGHT - 1) / 2], [0, 0, 1]])
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    return moved(image, (to_center @ turn @ np.linalg.inv(to_center))[:2].tolist())


def solarize(image: Pixels, strength: float) -> Pixels:
    return np.where(image < 256 * (1 - abs(strength)), image, 255 - image)


def color(image: Pixels, strength: float) -> Pixels:
    if image.shape[2] == 1:
        return image
    gray = image @ np.array([0.2989, 0.587, 0.114])
    return np.clip(gray[..., None] + (1 + 0.9 * strength) * (image - gray[..., None]), 0, 255)


def posterize(image: Pixels, strength: float) -> Pixels:
    step = 2 ** round(4 * abs(strength))
    return image // step * step


def contrast(image: Pixels, strength: float) -> Pixels:
    mean = image.mean(axis=(0, 1))
    return np.clip(mean + (1 + 0.9 * strength) * (image - mean), 0, 255)


def sharpness(image: Pixels, strength: float) -> Pixels:
    padded = np.pad(image, ((1, 1), (1, 1), (0, 0)))
    shifts = [(y, x) for y in range(3) for x in range(3)]
    smooth = sum(padded[y : y + HEIGHT, x : x + WIDTH] for y, x in shifts) + 4 * image
    return np.clip(smooth / 13 + (1 + 0.9 * strength) * (image - smooth / 13), 0, 255)


REFERENCES: dict[str, Callable[[Pixels, float], Pixels]] = {
    "identity": lambda image, _: image,
    "auto_contrast": auto_contrast,
    "equalize": equalize,
    "rotate": rotate,
    "solarize": solarize,
    "color": color,
    "posterize": posterize,
    "contrast": contrast,
    "brightness": lambda image, s: np.clip(image * (1 + 0.9 * s), 0, 255),
    "sharpness": sharpness,
    "shear_x": lambda image, s: moved(image, [[1, 0.3 * s, 0], [0, 1, 0]]),
    "shear_y": lambda image, s: moved(image, [[1, 0, 0], [0.3 * s, 1, 0]]),
    "translate_x": lambda image, s: moved(image, [[1, 0, -150 / 331 * s * WIDTH], [0, 1, 0]]),
    "translate_y": lambda image, s: moved(image, [[1, 0, 0], [0, 1, -150 / 331 * s * HEIGHT]]),
}


def photographs(count: int, channels: int) -> Pixels:
    """Return images of whole pixel values that do not reach from black to white."""
    pixels = np.random.default_rng(0).integers(20, 230, (count, HEIGHT, WIDTH, channels))
    return pixels.astype(np.float32)


@pytest.fixture(scope="module", params=[1, 3])
def operations(request: pytest.FixtureRequest) -> tuple[int, dict[str, Operation]]:
    return request.param, all_operations(HEIGHT, WIDTH, request.param)


@pytest.mark.parametrize("strength", [-1.0, -0.6, 0.2, 0.9])
def test_each_operation_equals_numpy(
    operations: tuple[int, dict[str, Operation]], strength: float
) -> None:
    channels, by_name = operations
    assert list(by_name) == list(REFERENCES)
    images = photographs(1, channels)
    for name, operation in by_name.items():
        found = np.asarray(operation(tf.constant(images), tf.constant(strength)))[0]
        expected = REFERENCES[name](images[0].astype(np.float64), strength)
        np.testing.assert_allclose(found, expected, atol=5e-3, err_msg=name)


def test_a_magnitude_of_zero_changes_only_the_contrast(
    operations: tuple[int, dict[str, Operation]],
) -> None:
    channels, by_name = operations
    images = photographs(1, channels)
    changed = {
        name
        for name, operation in by_name.items()
        if not np.allclose(operation(tf.constant(images), tf.constant(0.0)), images, atol=1e-3)
    }
    assert changed == {"auto_contrast", "equalize"}


def test_each_image_is_changed_by_the_operations_of_its_numbers(
    operations: tuple[int, dict[str, Operation]],
) -> None:
    channels, by_name = operations
    images = photographs(60, channels)
    numbers = np.random.default_rng(0).random((60, 4)).astype(np.float32)
    # In a pipeline of tf.data, as in a training.
    batches = tf.data.Dataset.from_tensors((images, numbers)).map(
        lambda x, u: rand_augment(x, list(by_name.values()), 0.6, u)
    )
    (found,) = batches
    names = list(REFERENCES)
    for result, image, row in zip(found.numpy(), images, numbers, strict=True):
        chosen = [names[int(u * len(names))] for u in row[::2]]
        if chosen[1] in ("equalize", "posterize"):  # a rounding error can be a step for them
            continue
        expected = image.astype(np.float64)
        for name, u_sign in zip(chosen, row[1::2], strict=True):
            expected = REFERENCES[name](expected, -0.6 if u_sign < 0.5 else 0.6)
        np.testing.assert_allclose(result, expected, atol=0.02, err_msg=str(chosen))
