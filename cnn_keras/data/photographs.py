"""A data set without labels that needs no files, for networks whose own images are not available.

Its images are crops of scikit-learn's two sample photographs, a Chinese palace and a flower. Crops
for calibration are from the left halves, held-out crops from the right halves: they share no pixel.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from .preprocessing import Float32Images, Preprocessing, UInt8Images

NAME = "photographs"  # of the data set

# Side of a crop as a fraction of the half's width, which is less than its height.
MIN_SIDE, MAX_SIDE = 0.5, 1.0


def originals() -> dict[str, UInt8Images]:
    """Return both photographs by name, `(height, width, 3)`."""
    from sklearn.datasets import load_sample_images

    samples = load_sample_images()
    names = [str(name).rpartition("/")[2] for name in samples.filenames]
    return dict(zip(names, samples.images, strict=True))


def tensors(shape: tuple[int, int, int], count: int, half: int) -> Float32Images:
    """Return normalized crops, for networks with random weights.

    Args:
        shape: Height, width and channels of the result.
        count: Number of crops.
        half: 0 for the left half of each photograph, 1 for the right.

    Returns:
        `(count, height, width, channels)` float32.
    """
    channels = shape[-1]
    normalize = Preprocessing(*shape, (127.5,) * channels, (64.0,) * channels)
    return normalize(crops(shape, count, half, seed=0))


def crops(shape: tuple[int, int, int], count: int, half: int, seed: int) -> UInt8Images:
    """Crop squares of random position and size, half of them mirrored.

    Args:
        shape: Height, width and channels of the result.
        count: Number of crops, from the two photographs in turn.
        half: 0 for the left half of each photograph, 1 for the right.
        seed: Seed of positions, sizes and mirroring.

    Returns:
        `(count, height, width, channels)` uint8.
    """
    height, width, channels = shape
    preprocessing = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
    random = np.random.default_rng(seed)
    photographs = list(originals().values())
    result = np.empty((count, *shape), np.uint8)
    for index in range(count):
        photograph = photographs[index % len(photographs)]
        middle = photograph.shape[1] // 2
        part = photograph[:, half * middle : (half + 1) * middle]
        side = round(random.uniform(MIN_SIDE, MAX_SIDE) * middle)
        top, left = (random.integers(length - side + 1) for length in part.shape[:2])
        square = part[top : top + side, left : left + side]
        if random.integers(2):
            square = square[:, ::-1]
        result[index] = preprocessing.pixels(Image.fromarray(np.ascontiguousarray(square)))
    return result
