"""Make a data set imbalanced, as a file that `train` takes."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...command import write_atomic
from ...data.datasets import Dataset
from ...data.splits import Labels


def class_sizes(available: NDArray[np.int64], imbalance: float) -> NDArray[np.int64]:
    """Return how many images each class keeps: the number falls exponentially with its index.

    The first class keeps `imbalance` times as many images as the last one.

    Args:
        available: Number of images of each class `(classes,)`.
        imbalance: Ratio of the largest to the smallest class, at least 1.

    Returns:
        Numbers of at least 1 `(classes,)`.

    Reference:
        Cui et al., "Class-balanced loss based on effective number of samples", arXiv:1901.05555,
        section 5.1.

    Example:
        >>> class_sizes(np.array([500, 500, 500]), 100).tolist()
        [500, 50, 5]
    """
    exponents = np.arange(len(available)) / (len(available) - 1)
    sizes = np.rint(available.min() * imbalance**-exponents).astype(np.int64)
    return np.maximum(sizes, 1)


def imbalanced_indices(labels: Labels, sizes: NDArray[np.int64], seed: int) -> Labels:
    """Draw images of each class.

    Args:
        labels: Class indices `(n,)`.
        sizes: How many images to draw of each class `(classes,)`.
        seed: Seed of the sample. A larger sample of a class contains each smaller one.

    Returns:
        Sorted indices into `labels`.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    kept = [order[labels[order] == index][:size] for index, size in enumerate(sizes)]
    return np.sort(np.concatenate(kept))


def write_imbalanced(dataset: Dataset, imbalance: float, seed: int, file: Path) -> None:
    """Write a data set with fewer training images of the later classes.

    The validation and test splits stay as they are.

    Args:
        dataset: The data set.
        imbalance: Ratio of the largest to the smallest class.
        seed: Seed of the sample.
        file: The `.npz` file.
    """
    labels = dataset.train.labels
    sizes = class_sizes(np.bincount(labels, minlength=len(dataset.classes)), imbalance)
    train = dataset.train.take(imbalanced_indices(labels, sizes, seed))
    splits = {"train": train, "val": dataset.validation, "test": dataset.test}
    arrays: dict[str, Any] = {"classes": np.array(dataset.classes)}
    for name, split in splits.items():
        arrays |= {f"x_{name}": split.read(), f"y_{name}": split.labels}
    data = io.BytesIO()
    np.savez_compressed(data, **arrays)
    write_atomic(file, data.getvalue())
