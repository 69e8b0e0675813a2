"""Held-out images that are also training images, in a data set that has been read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..datasets import Dataset


def describe_leak(dataset: Dataset, digests: Mapping[str, Sequence[bytes]]) -> str | None:
    """Return one line about the held-out images that are also training images, None if none is.

    It counts images that are equal in the network's input size, pixel by pixel. For near
    duplicates, see `duplicates`.

    Args:
        dataset: The data set.
        digests: Digests of the pixels of its images by split, see `first_pass`.
    """
    known = set(digests.get("train", ()))
    counts = {
        name: count
        for name, of_split in digests.items()
        if name != "train" and (count := sum(digest in known for digest in of_split))
    }
    if not counts:
        return None
    listed = " and ".join(
        f"{count} of {len(digests[name])} {name} images" for name, count in counts.items()
    )
    return (
        f"{dataset.name}: {listed} are also training images, so that the accuracy on them is too "
        "high; `cnn-keras dataset check` lists them."
    )
