"""Gray images of dark on light or light on dark: which of them are inverted, and their contrast."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from .preprocessing import Preprocessing, UInt8Images

_MIDDLE_GRAY = 255 / 2

# The least distance of the training mean from middle gray, in standard deviations. It is 0.60 for
# the digits, 0.61 for Fashion-MNIST and 1.2 for MNIST. At 0, light and dark are equally frequent.
_MIN_DISTANCE = 0.5

# Percentiles of an image on a dark background: paper covers at least half of it, ink a hundredth.
_BACKGROUND, _INK = 50, 99

Background = Literal["dark", "light"]


def looks_inverted(pixels: UInt8Images, preprocessing: Preprocessing) -> NDArray[np.bool_]:
    """Return for each image whether its background is light where that of training images is dark.

    Or the reverse. The background of an image is light if the mean log odds of its pixels, from 0
    for its darkest to 1 for its brightest, is positive. Each image has its own scale because paper
    in the shade is gray.

    Args:
        pixels: `(n, height, width, channels)` uint8, before normalization.
        preprocessing: Preprocessing of the network.

    Returns:
        `(n,)` bool; all False if the background of the training images is unknown (see
        `training_background`).

    Example:
        >>> preprocessing = Preprocessing(4, 4, 1, mean=(33.3,), std=(78.6,))
        >>> paper = np.full((1, 4, 4, 1), 255, np.uint8)
        >>> paper[0, 1:3, 1:3] = 0
        >>> looks_inverted(paper, preprocessing), looks_inverted(255 - paper, preprocessing)
        (array([ True]), array([False]))
    """
    background = training_background(preprocessing)
    if background is None:
        return np.zeros(len(pixels), np.bool_)
    levels = pixels.reshape(len(pixels), -1).astype(np.float64)
    darkest = levels.min(axis=1, keepdims=True)
    contrast = np.ptp(levels, axis=1, keepdims=True)
    whiteness = ((levels - darkest) * (255 / np.maximum(contrast, 1)) + 0.5) / 256
    log_odds = np.log(whiteness / (1 - whiteness)).mean(axis=1)
    is_light = log_odds > 0
    return (is_light != (background == "light")) & (contrast[:, 0] > 0)


def stretch_contrast(pixels: UInt8Images, background: Background) -> UInt8Images:
    """Make the background of each image black and its ink white, or the reverse.

    Photographed paper is gray, and so is ink; a scan has both black and white. The median of the
    pixels becomes the background, and the hundredth that is farthest from it becomes the ink.

    Args:
        pixels: `(n, height, width, channels)` uint8, before normalization, not inverted.
        background: Background of the images.

    Returns:
        Pixels of the same shape. An image of one gray level becomes background.

    Example:
        >>> paper = np.full((1, 4, 4, 1), 60, np.uint8)
        >>> paper[0, 1:3, 1:3] = 200
        >>> np.unique(stretch_contrast(paper, "dark")).tolist()
        [0, 255]
    """
    if background == "light":
        return 255 - stretch_contrast(255 - pixels, "dark")
    levels = pixels.reshape(len(pixels), -1).astype(np.float64)
    black, white = np.percentile(levels, (_BACKGROUND, _INK), axis=1)[..., np.newaxis]
    stretched = (levels - black) * (255 / np.maximum(white - black, 1))
    return np.clip(np.rint(stretched), 0, 255).astype(np.uint8).reshape(pixels.shape)


def training_background(preprocessing: Preprocessing) -> Background | None:
    """Return the background of a network's training images, from their mean and variance.

    Only gray images of two tones have one, such as drawings and scans: a beta distribution with
    their mean and variance has its peaks at black and white, which means that both its parameters
    are below 1. For photographs they are above 1. A normalization to a fixed range, such as -1 to
    1, is not computed from images, and gives no valid distribution.

    Args:
        preprocessing: Preprocessing of the network.

    Returns:
        None if the network takes color images, or if its training images have no known background.

    Example:
        >>> training_background(Preprocessing(28, 28, 1, mean=(33.3,), std=(78.6,)))
        'dark'
    """
    if preprocessing.channels != 1:
        return None
    (mean,), (std,) = preprocessing.mean, preprocessing.std
    if std <= 0 or abs(mean - _MIDDLE_GRAY) < _MIN_DISTANCE * std:
        return None
    white = mean / 255
    total = white * (1 - white) / (std / 255) ** 2 - 1  # the sum of both parameters
    if total <= 0 or max(white * total, (1 - white) * total) >= 1:
        return None
    return "light" if mean > _MIDDLE_GRAY else "dark"
