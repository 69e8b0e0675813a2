"""Photographs that are on any machine, for networks whose own images are not: no labels.

Crops of scikit-learn's two sample photographs, a Chinese palace and a flower. Those for calibration
come from the left halves, those that judge a file from the right halves: they share no pixel.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .preprocessing import Images, Pixels, Preprocessing

NAME = "photographs"  # as a run's data set

# Side of a crop as a share of a half's width, which is the shorter of its sides.
LEAST, GREATEST = 0.5, 1.0


def originals() -> dict[str, Pixels]:
    """Return both photographs by name, `(height, width, 3)`."""
    from sklearn.datasets import load_sample_images

    samples = load_sample_images()
    names = [str(name).rpartition("/")[2] for name in samples.filenames]
    return dict(zip(names, samples.images, strict=True))


def tensors(shape: tuple[int, int, int], count: int, half: int) -> Images:
    """Return normalized crops `(count, height, width, channels)`, for networks of random weights.

    Args:
        shape: See `crops`, as the others.
        count: How many.
        half: Of each photograph.
    """
    channels = shape[-1]
    normalize = Preprocessing(*shape, (127.5,) * channels, (64.0,) * channels)
    return normalize(crops(shape, count, half, seed=0))


def crops(shape: tuple[int, int, int], count: int, half: int, seed: int) -> Pixels:
    """Cut squares at random places and in random sizes, half of them mirrored.

    Args:
        shape: Height, width and channels of the result.
        count: How many, from either photograph in turn.
        half: 0 for the left half of each photograph, 1 for the right.
        seed: The same seed cuts the same squares.

    Returns:
        `(count, height, width, channels)` uint8.
    """
    height, width, channels = shape
    view = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
    random = np.random.default_rng(seed)
    photographs = list(originals().values())
    result = np.empty((count, *shape), np.uint8)
    for place in range(count):
        photograph = photographs[place % len(photographs)]
        middle = photograph.shape[1] // 2
        part = photograph[:, half * middle : (half + 1) * middle]
        side = round(random.uniform(LEAST, GREATEST) * middle)
        top, left = (random.integers(length - side + 1) for length in part.shape[:2])
        square = part[top : top + side, left : left + side]
        if random.integers(2):
            square = square[:, ::-1]
        result[place] = view.pixels(Image.fromarray(np.ascontiguousarray(square)))
    return result
