"""The rate of false alarms and of missed images on the test splits of data sets."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from cnn_keras.data import datasets
from cnn_keras.data.gray_levels import looks_inverted, stretch_contrast, training_background
from cnn_keras.data.preprocessing import Preprocessing, fit_preprocessing

DIGITS = Preprocessing(32, 32, 1, (77.7,), (82.4,))
MAX_ERROR = 0.01


@pytest.mark.parametrize(("name", "side"), [("digits", 32), ("digits", 28), ("fashion_mnist", 28)])
def test_under_one_percent_is_classified_wrongly(name: str, side: int) -> None:
    dataset = datasets.load(name)
    preprocessing = fit_preprocessing(dataset.train.images, (side, side, 1))
    pixels = preprocessing.resize(dataset.test.images)
    assert looks_inverted(pixels, preprocessing).mean() < MAX_ERROR
    assert looks_inverted(255 - pixels, preprocessing).mean() > 1 - MAX_ERROR
    assert training_background(preprocessing) == "dark"
    black = fit_preprocessing(255 - dataset.train.images, (side, side, 1))
    assert training_background(black) == "light"
    assert looks_inverted(255 - pixels, black).mean() < MAX_ERROR
    assert looks_inverted(pixels, black).mean() > 1 - MAX_ERROR


@pytest.mark.parametrize(("paper", "ink"), [(230, 40), (180, 60), (120, 40)])
def test_gray_paper_in_uneven_light(paper: int, ink: int) -> None:
    digits = DIGITS.resize(datasets.load("digits").test.images)
    levels = paper - (paper - ink) * (digits / 255)
    levels += np.random.default_rng(0).normal(0, 5, levels.shape)  # of a camera
    levels += np.linspace(-20, 20, 32)[:, np.newaxis, np.newaxis]
    photographs = np.clip(levels, 0, 255).astype(np.uint8)
    assert looks_inverted(photographs, DIGITS).mean() > 0.9
    assert not looks_inverted(255 - photographs, DIGITS).mean() > 0.1


def random_pixels(channels: int = 1) -> NDArray[np.uint8]:
    levels = np.random.default_rng(0).integers(0, 256, (20, 8, 8, channels))
    levels[:10] |= 192  # mostly light
    levels[10:] &= 63
    return levels.astype(np.uint8)


@pytest.mark.parametrize(
    "preprocessing",
    [
        Preprocessing(8, 8, 1, (127.5,), (127.5,)),  # to -1..1
        Preprocessing(8, 8, 1, (0.0,), (255.0,)),  # to 0..1
        Preprocessing(8, 8, 1, (0.0,), (1.0,)),
        Preprocessing(8, 8, 1, (120.0,), (100.0,)),  # as much black as white
        Preprocessing(8, 8, 1, (86.1,), (60.0,)),  # photographs
        Preprocessing(8, 8, 1, (255.0,), (1.0,)),
        Preprocessing(8, 8, 3, (33.3,) * 3, (78.6,) * 3),
    ],
)
def test_without_a_known_background_no_image_is_inverted(preprocessing: Preprocessing) -> None:
    assert training_background(preprocessing) is None
    pixels = random_pixels(preprocessing.channels)
    assert not looks_inverted(pixels, preprocessing).any()


def test_an_image_of_one_gray_level_is_not_inverted() -> None:
    pixels = np.repeat(np.array([0, 128, 255], np.uint8), 64).reshape(3, 8, 8, 1)
    assert not looks_inverted(pixels, DIGITS).any()


def test_contrast_is_stretched_from_the_background_to_the_ink() -> None:
    digits = DIGITS.resize(datasets.load("digits").test.images)
    shade = np.rint(40 + digits * (60 / 255)).astype(np.uint8)  # from 40 to 100
    stretched = stretch_contrast(shade, "dark")
    assert ((stretched == 0).mean(axis=(1, 2, 3)) >= 0.5).all()
    np.testing.assert_array_equal(stretched.max(axis=(1, 2, 3)), 255)
    # Rounding to 60 levels shifts the percentiles by half a level of 4.25.
    difference = stretched - stretch_contrast(digits, "dark").astype(np.float64)
    assert abs(difference).max() <= 9
    np.testing.assert_array_equal(255 - stretch_contrast(255 - shade, "light"), stretched)


def test_an_image_of_one_gray_level_becomes_background() -> None:
    gray = np.full((1, 8, 8, 1), 90, np.uint8)
    assert stretch_contrast(gray, "dark").max() == 0
    assert stretch_contrast(gray, "light").min() == 255


def test_photographs_in_gray_are_not_inverted() -> None:
    dataset = datasets.load("photographs", shape=(32, 32, 1))
    preprocessing = fit_preprocessing(dataset.train.images, (32, 32, 1))
    assert not looks_inverted(dataset.test.images, preprocessing).any()
