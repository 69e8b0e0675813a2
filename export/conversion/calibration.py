"""Choose the images whose activations set the ranges of a static integer file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.data.splits import stratified_indices
from cnn_keras.errors import UsageError


def sample(
    images: NDArray[Any], labels: NDArray[np.integer[Any]], count: int = 200, seed: int = 0
) -> NDArray[Any]:
    """Draw training images in the classes' own proportions.

    Each class gets its share of `count`, to within one image, so that no class's range is missed
    by chance.

    Args:
        images: Training images `(n, height, width, channels)`, pixels or preprocessed.
        labels: Their classes `(n,)`.
        count: How many to draw; all of them where there are fewer.
        seed: The same seed draws the same images.

    Returns:
        Images `(min(count, n), height, width, channels)`.

    Raises:
        UsageError: Nothing to draw from, or nothing asked for.
    """
    if count < 1 or not len(images):
        raise UsageError(f"Cannot draw {count} calibration images from {len(images)}.")
    return images[stratified_indices(labels, count, seed)]
