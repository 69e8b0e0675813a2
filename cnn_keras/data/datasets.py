"""Data sets by name: train, validation and test splits of uint8 images.

The validation split of a named data set is held out from its training images, seeded and
stratified. Neither training nor calibration uses it. The test split is the data set's own.

`folder:PATH` is a folder of images with a sub-folder for each class (see `image_folder`):

train/ val/ test/    each is the split of its name; Training/, valid/ or test_set/ work as well
train/ val/          val/ is both the validation and the test split: it selects `best.keras`, but
                     not `model.keras`, whose results a run reports
train/ test/         a tenth of train/ is the validation split, seeded and stratified
class folders only   a fifth of the images is the test split and a tenth the validation split,
                     seeded and stratified, the same for every run

`photographs` needs no files, and has no labels (see `photographs`).
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..command import log
from ..errors import Error, unknown
from . import image_folder, photographs
from .image_folder import LabeledPaths
from .sources import SOURCES, load_source
from .splits import Split, hold_out

FOLDER = "folder:"  # prefix of the name of a data set that is a folder of images
MIN_TO_SPLIT = 5  # images of a class: a fifth of them, one, is for the test split


class Dataset(NamedTuple):
    """A data set to train on, if it is labeled.

    A data set without labels has no classes, and the label -1 for every image.

    Attributes:
        name: Name of the data set, or of the folder.
        train: Images to train on.
        validation: Held-out images, for decisions.
        test: Held-out images, for results.
        classes: Class names.
        allows_flip: Whether a mirrored image keeps its class.
        fingerprint: Identifies the files of a folder of images; None for other data sets.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    allows_flip: bool
    fingerprint: str | None = None

    @property
    def labeled(self) -> bool:
        """Whether the images have labels."""
        return bool(self.classes)

    def with_classes(self, classes: tuple[str, ...]) -> Dataset:
        """Return the data set with its labels as indices into `classes`, which may be more.

        Raises:
            Error: One of its classes is not among them.
        """
        if self.classes in ((), classes):
            return self
        known = f", {classes[0]} to {classes[-1]}" if classes else ""
        for name in self.classes:
            if name not in classes:
                raise Error(
                    f"The class '{name}' of {self.name} is not one of the network's "
                    f"{len(classes)} labels{known}."
                )
        indices = np.array([classes.index(name) for name in self.classes])
        train, validation, test = (
            split._replace(labels=indices[split.labels])
            for split in (self.train, self.validation, self.test)
        )
        return self._replace(train=train, validation=validation, test=test, classes=classes)

    def split(self, name: str) -> Split:
        """Return a split by name: ``"train"``, ``"validation"`` or ``"test"``."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise unknown("split", name, splits)
        return splits[name]


def absolute_name(name: str, *, labeled: bool = True) -> str:
    """Return the name of a data set with the absolute path of a folder, as a run stores it.

    Args:
        name: See `load`.
        labeled: Whether labels are required, as for a training.

    Raises:
        UsageError: There is no such data set.
    """
    if name == photographs.NAME and not labeled:
        return name
    if name.startswith(FOLDER) and name != FOLDER:
        return FOLDER + str(Path(name.removeprefix(FOLDER)).expanduser().resolve())
    if name not in SOURCES:
        raise unknown("data set", name, [*SOURCES, f"{FOLDER}PATH"])
    return name


def load(
    name: str, data_dir: Path | None = None, shape: tuple[int, int, int] = (224, 224, 3)
) -> Dataset:
    """Load a data set from the first folder that has it, else download it by `keras.datasets`.

    Args:
        name: Key of `SOURCES`, ``"folder:PATH"``, or ``"photographs"``.
        data_dir: Folder to search first, and its sub-folder of that name.
        shape: Height, width and channels to which the images of a folder and photographs are
            resized; other data sets have their own.

    Raises:
        UsageError: There is no such data set.
        MissingDataError: It is in none of the folders and cannot be downloaded.
        Error: Its files are broken.
    """
    if name == photographs.NAME:
        return _load_photographs(shape)
    name = absolute_name(name)
    if name.startswith(FOLDER):
        return _load_folder(Path(name.removeprefix(FOLDER)), data_dir, shape)
    source = SOURCES[name]
    train, test, classes = load_source(name, data_dir)
    remaining, held_out = hold_out(train.labels, source.num_validation)
    return Dataset(
        name, train.take(remaining), train.take(held_out), test, classes, source.allows_flip
    )


def _load_photographs(shape: tuple[int, int, int]) -> Dataset:
    """Return 200 crops for calibration and two times 100 held-out crops."""

    def split(count: int, half: int, seed: int) -> Split:
        return Split(photographs.crops(shape, count, half, seed), np.full(count, -1))

    splits = split(200, 0, 0), split(100, 1, 1), split(100, 1, 2)
    return Dataset(photographs.NAME, *splits, (), allows_flip=True)


def _load_folder(folder: Path, data_dir: Path | None, shape: tuple[int, int, int]) -> Dataset:
    height, width, channels = shape
    if data_dir is not None and (data_dir / folder.name).is_dir():
        folder = data_dir / folder.name
    found = image_folder.find_splits(folder)
    origin = {}  # of a split without a folder of its own
    if "all" in found.splits:
        train, validation, test = _split_all(folder, found.splits["all"])
    else:
        train = found.splits["train"]
        if "val" in found.splits:
            validation = found.splits["val"]
        else:
            train, validation = _split_training(train)
            origin["validation"] = f" (a tenth of {train.folder.name}/)"
        test = found.splits.get("test", validation)
        if test is validation:
            origin["test"] = f" ({validation.folder.name}/, because there is no test/)"
    log(
        f"{found.folder}: {len(train.classes)} classes; {len(train.paths)} training, "
        f"{len(validation.paths)} validation{origin.get('validation', '')} and {len(test.paths)} "
        f"test images{origin.get('test', '')}"
        + (f"; {', '.join(found.others)} left out" if found.others else "")
        + _describe_skipped(sum((files.skipped for files in found.splits.values()), Counter()))
        + f"; resized to {height}×{width} {'gray' if channels == 1 else 'RGB'}"
    )
    # All images at once, so that one error names all broken files.
    parts = [train, validation] + ([] if test is validation else [test])
    images = image_folder.decode([path for part in parts for path in part.paths], shape)
    stops = np.cumsum([len(part.paths) for part in parts])
    splits = [
        Split(pixels, part.labels)
        for pixels, part in zip(np.split(images, stops[:-1]), parts, strict=True)
    ]
    return Dataset(
        folder.name,
        splits[0],
        splits[1],
        splits[-1],
        train.classes,
        allows_flip=True,
        fingerprint=image_folder.fingerprint(
            folder, [path for files in found.splits.values() for path in files.paths]
        ),
    )


def _describe_skipped(kinds: Counter[str]) -> str:
    """Describe the files in the class folders that are not images."""
    if not kinds:
        return ""
    most = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:5]
    named = [f"{count} {kind}" for kind, count in most]
    return f"; {kinds.total()} other files skipped ({', '.join(named)}{', ...' * (len(kinds) > 5)})"


def _split_training(everything: LabeledPaths) -> tuple[LabeledPaths, LabeledPaths]:
    """Split the images of train/ into training and validation images.

    Raises:
        Error: There are too few.
    """
    labels = everything.labels
    if len(labels) < 10:
        raise Error(
            f"{everything.folder} has {len(labels)} images, too few to hold out a tenth for "
            "validation: add some, or make val/."
        )
    remaining, held_out = hold_out(labels, len(labels) // 10)
    return everything.take(remaining), everything.take(held_out)


def _split_all(folder: Path, everything: LabeledPaths) -> tuple[LabeledPaths, ...]:
    """Split the images of a folder without splits into training, validation and test images.

    Raises:
        Error: A class has too few.
    """
    labels = everything.labels
    counts = np.bincount(labels)
    if counts.min() < MIN_TO_SPLIT:
        raise Error(
            f"{folder / everything.classes[counts.argmin()]} has {counts.min()} images, and a "
            f"split needs {MIN_TO_SPLIT}: add some, or split them yourself into train/ and val/."
        )
    rest, test = hold_out(labels, len(labels) // 5)
    remaining, held_out = hold_out(labels[rest], len(labels) // 10)
    return (
        everything.take(rest[remaining]),
        everything.take(rest[held_out]),
        everything.take(test),
    )
