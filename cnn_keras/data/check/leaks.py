"""Held-out images that are also training images, in a data set that is loaded."""

from __future__ import annotations

import numpy as np

from ..datasets import Dataset
from ..preprocessing import UInt8Images
from ..splits import distinct_splits


def describe_leak(dataset: Dataset) -> str | None:
    """Return one line about the held-out images that are also training images, None if none is.

    Only data of the user are searched, for images that are equal in the network's input size. For
    near duplicates, see `duplicates`.
    """
    if dataset.fingerprint is None:
        return None
    splits = distinct_splits(dataset.train, dataset.validation, dataset.test)
    del splits["train"]
    counts = {
        name: count
        for name, split in splits.items()
        if (count := count_shared(split.images, dataset.train.images))
    }
    if not counts:
        return None
    listed = " and ".join(
        f"{count} of {len(splits[name].labels)} {name} images" for name, count in counts.items()
    )
    return (
        f"{dataset.name}: {listed} are also training images, so that the accuracy on them is too "
        "high; `cnn-keras dataset check` lists them."
    )


def count_shared(images: UInt8Images, others: UInt8Images) -> int:
    """Return how many images are also among others of the same shape, pixel by pixel.

    Only images with the same sampled pixels are compared, so that it takes a microsecond per image.

    Args:
        images: `(n, height, width, channels)`.
        others: `(m, height, width, channels)`.
    """
    keys, other_keys = _sampled_pixels(images), _sampled_pixels(others)
    shared = set(keys).intersection(other_keys)
    known = {
        pixels.tobytes() for pixels, key in zip(others, other_keys, strict=True) if key in shared
    }
    return sum(
        pixels.tobytes() in known for pixels, key in zip(images, keys, strict=True) if key in shared
    )


def _sampled_pixels(images: UInt8Images) -> list[bytes]:
    """Return some 64 values of each image, at equal distances."""
    rows = images.reshape(len(images), -1)
    sampled = np.ascontiguousarray(rows[:, :: max(1, rows.shape[1] // 64)])
    keys: list[bytes] = sampled.view(f"V{sampled.shape[1]}")[:, 0].tolist()
    return keys
