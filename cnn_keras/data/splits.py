"""Splits of a data set, and how samples are drawn and held out: seeded and stratified."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .preprocessing import Preprocessing, UInt8Images

Labels = NDArray[np.int64]

SPLIT_SEED = 0  # of all held-out splits, so that every run holds out the same images


class Split(NamedTuple):
    """Images `(n, height, width, channels)` of uint8 pixels, and their class indices `(n,)`."""

    images: UInt8Images
    labels: Labels

    def take(self, indices: NDArray[np.int64]) -> Split:
        """Return the images at these indices."""
        return Split(self.images[indices], self.labels[indices])

    def sample(self, count: int, seed: int = SPLIT_SEED) -> Split:
        """Return a stratified sample, or the whole split if it has fewer images.

        Use this instead of a slice: the images of a folder are in order of class, and the first
        ones are all of one class.

        Args:
            count: Number of images.
            seed: Seed of the sample.
        """
        return self.take(stratified_indices(self.labels, count, seed))

    def resized(self, preprocessing: Preprocessing) -> Split:
        """Return the split in a network's input size and number of channels."""
        return Split(preprocessing.resize(self.images), self.labels)


def stratified_indices(labels: NDArray[np.integer[Any]], count: int, seed: int) -> Labels:
    """Draw a sample in which each class has its share, to within one image.

    Args:
        labels: Class indices `(n,)`.
        count: Number of indices; all are returned if there are fewer.
        seed: Seed of the sample.

    Returns:
        Sorted indices `(count,)` into `labels`.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    # The rank of each image within its class, as a fraction of the class size: taking the smallest
    # fractions takes the same share of every class.
    ranks = np.empty(len(labels))
    for value in np.unique(labels):
        indices = order[labels[order] == value]
        ranks[indices] = (np.arange(len(indices)) + 0.5) / len(indices)
    chosen = order[np.argsort(ranks[order], kind="stable")[:count]]
    return np.sort(chosen)


def hold_out(labels: Labels, count: int) -> tuple[Labels, Labels]:
    """Return the indices of the remaining images and those of `count` held-out images."""
    held_out = stratified_indices(labels, count, SPLIT_SEED)
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out
