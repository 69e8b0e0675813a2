"""The training images whose activations set the ranges of a static integer file."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.data.datasets import Dataset
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.data.splits import stratified_indices
from cnn_keras.errors import UsageError
from cnn_keras.training.run_folder import Run

NUM_IMAGES = 200
SEED = 0


def sample(
    images: NDArray[Any],
    labels: NDArray[np.integer[Any]],
    count: int = NUM_IMAGES,
    seed: int = SEED,
) -> NDArray[Any]:
    """Draw training images in the proportions of their classes.

    Each class gets its share of `count`, to within one image, so that chance leaves out the range
    of no class.

    Args:
        images: Training images `(n, height, width, channels)`, pixels or preprocessed.
        labels: Their classes `(n,)`.
        count: Number of images to draw; all of them where there are fewer.
        seed: The same seed draws the same images.

    Returns:
        Images `(min(count, n), height, width, channels)`.

    Raises:
        UsageError: There are no images, or `count` is below 1.
    """
    if count < 1 or not len(images):
        raise UsageError(f"Cannot draw {count} calibration images from {len(images)}.")
    return images[stratified_indices(labels, count, seed)]


def calibration_images(run: Run, dataset: Dataset) -> Float32Images:
    """Return the preprocessed training images that calibrate a run's static files."""
    return run.preprocessing(dataset.train.sample(NUM_IMAGES, SEED).read())
