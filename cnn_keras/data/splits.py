"""Splits of a data set, and how samples are drawn and held out: seeded and stratified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import Error
from .image_folder import enumerate_names
from .preprocessing import Preprocessing, UInt8Images

Labels = NDArray[np.int64]

SPLIT_SEED = 0  # of all held-out splits, so that every run holds out the same images
MIN_TO_SPLIT = 5  # images of a class: a fifth of them, one, is for the test split


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

    def read(self) -> UInt8Images:
        """Return all images, as those of a `FileSplit` are read."""
        return self.images

    def chunks(self, size: int) -> Iterator[UInt8Images]:
        """Yield the images in order, `size` at a time."""
        for start in range(0, len(self.labels), size):
            yield self.images[start : start + size]


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


class Labeled(Protocol):
    """Images or their paths, with class indices."""

    @property
    def labels(self) -> Labels:
        """Class indices `(n,)`."""

    def take(self, indices: Labels) -> Self:
        """Return the images at these indices."""


Images = TypeVar("Images", bound=Labeled)


class Parts(NamedTuple, Generic[Images]):
    """All three splits of a data set, and the line of the log that counts their images."""

    train: Images
    validation: Images
    test: Images
    summary: str


def distinct_splits(train: Images, validation: Images, test: Images) -> dict[str, Images]:
    """Return splits by name, without the test split if it is the validation split."""
    splits = {"train": train, "validation": validation, "test": test}
    if test is validation:
        del splits["test"]
    return splits


class SplitNames(NamedTuple):
    """What messages call the splits and classes of a data set.

    Attributes:
        source: The folder or file, and what separates it from the name of a split or class.
        splits: Names of the splits, by ``"train"``, ``"val"`` and ``"test"``.
        mark: Follows the name of a split: ``"/"`` for a folder.
    """

    source: str
    splits: Mapping[str, str]
    mark: str = ""


def complete_splits(
    found: Mapping[str, Images], classes: Sequence[str], names: SplitNames
) -> Parts[Images]:
    """Hold out the splits that a data set lacks from those that it has, seeded and stratified.

    Args:
        found: Images by ``"train"``, ``"val"`` and ``"test"``, of which the last two may be
            missing; or all images by ``"all"``.
        classes: Class names.
        names: How errors and the summary name the splits.

    Raises:
        Error: There are too few images to hold out a split.
    """
    origin = {}  # of a split that the data set lacks
    if "all" in found:
        train, validation, test = _split_all(found["all"], classes, names)
    else:
        train = found["train"]
        if "val" in found:
            validation = found["val"]
        else:
            train, validation = _split_training(train, names)
            origin["validation"] = f" (a tenth of {names.splits['train']}{names.mark})"
        test = found.get("test", validation)
        if test is validation:
            val = names.splits["val"]
            origin["test"] = f" ({val}{names.mark}, because there is no test{names.mark})"
    summary = (
        f"{len(train.labels)} training, {len(validation.labels)} validation"
        f"{origin.get('validation', '')} and {len(test.labels)} test images{origin.get('test', '')}"
    )
    return Parts(train, validation, test, summary)


def _split_training(images: Images, names: SplitNames) -> tuple[Images, Images]:
    """Split the images of a training split into training and validation images."""
    count = len(images.labels)
    if count < 10:
        raise Error(
            f"{names.source}{names.splits['train']} has {count} images, too few to hold out a "
            f"tenth for validation: add some, or make val{names.mark}."
        )
    remaining, held_out = hold_out(images.labels, count // 10)
    return images.take(remaining), images.take(held_out)


def _split_all(
    images: Images, classes: Sequence[str], names: SplitNames
) -> tuple[Images, Images, Images]:
    """Split images into a fifth for testing, a tenth for validation and the rest."""
    labels = images.labels
    counts = np.bincount(labels)
    if counts.min() < MIN_TO_SPLIT:
        raise Error(
            f"{names.source}{classes[int(counts.argmin())]} has {counts.min()} images, and a split "
            f"needs {MIN_TO_SPLIT} of each class: add some, or split them yourself into "
            f"train{names.mark} and val{names.mark}."
        )
    rest, test = hold_out(labels, len(labels) // 5)
    remaining, held_out = hold_out(labels[rest], len(labels) // 10)
    return images.take(rest[remaining]), images.take(rest[held_out]), images.take(test)


def require_classes(found: Mapping[str, Labeled], classes: Sequence[str], source: object) -> None:
    """Refuse a data set with fewer than two classes, or with a class that a split needs but lacks.

    Args:
        found: Images by ``"train"``, ``"val"`` and ``"test"``, or by ``"all"``.
        classes: Class names.
        source: The file that lists or contains the images.

    Raises:
        Error: There is only one class, or one has no training or validation image.
    """
    if len(classes) < 2:
        raise Error(f"{source} has only the class '{classes[0]}': a classifier needs two or more.")
    for split in ("all", "train", "val"):
        if split in found:
            counts = np.bincount(found[split].labels, minlength=len(classes))
            if missing := [name for name, count in zip(classes, counts, strict=True) if not count]:
                where = "" if split == "all" else f" in its split {split}"
                raise Error(
                    f"{source} has no images of {enumerate_names(missing)}{where}: each class "
                    "needs some."
                )
