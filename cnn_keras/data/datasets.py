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

`csv:FILE` lists images, and `npz:FILE` contains them as arrays (see `formats`). Splits that a file
lacks are held out in the same way.

`tfds:NAME` is a data set of TensorFlow Datasets, whose images become files.

`photographs` needs no files, and has no labels (see `photographs`).
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..command import log
from ..errors import Error, unknown
from . import image_folder, photographs
from .formats import csv_file, npz_file, tfds_files
from .image_folder import FolderSplits, LabeledPaths
from .loading.image_files import AnySplit, FileSplit
from .sources import SOURCES, load_source
from .splits import (
    Parts,
    Split,
    SplitNames,
    complete_splits,
    distinct_splits,
    hold_out,
    require_classes,
)

# Prefixes of the names of data sets that are files of the user.
FOLDER, CSV, NPZ = "folder:", "csv:", "npz:"
TFDS = "tfds:"  # of the names of data sets of TensorFlow Datasets
NAMES = (*SOURCES, f"{FOLDER}PATH", f"{CSV}FILE", f"{NPZ}FILE", f"{TFDS}NAME")


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
        fingerprint: Identifies the images of a folder or file of the user; None for other data
            sets.
        folder: Folder to which the paths of its image files are relative; None for other data sets.
    """

    name: str
    train: AnySplit
    validation: AnySplit
    test: AnySplit
    classes: tuple[str, ...]
    allows_flip: bool
    fingerprint: str | None = None
    folder: Path | None = None

    @property
    def labeled(self) -> bool:
        """Whether the images have labels."""
        return bool(self.classes)

    @property
    def splits(self) -> dict[str, AnySplit]:
        """The splits by name, without the test split if it is the validation split."""
        return distinct_splits(self.train, self.validation, self.test)

    def relative_path(self, path: str) -> str:
        """Return the path of an image file, relative to the folder of the data set."""
        return os.path.relpath(path, self.folder)

    def without(self, files: Collection[str]) -> Dataset:
        """Return the data set without some of its image files.

        Args:
            files: Their paths, relative to the folder of the data set.

        Raises:
            Error: A class has no training or validation image left.
        """
        if not files:
            return self
        skipped = set(files)
        kept: dict[str, AnySplit] = {
            name: split.take(
                np.flatnonzero([self.relative_path(path) not in skipped for path in split.paths])
            )
            for name, split in self.splits.items()
            if isinstance(split, FileSplit)
        }
        found = {"train": kept["train"], "val": kept["validation"]}
        require_classes(found, self.classes, self.name)
        return self.with_splits(kept)

    def with_splits(self, splits: Mapping[str, AnySplit]) -> Dataset:
        """Return the data set with other splits, named as in `splits`."""
        test = splits.get("test", splits["validation"])
        return self._replace(train=splits["train"], validation=splits["validation"], test=test)

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

    def split(self, name: str) -> AnySplit:
        """Return a split by name: ``"train"``, ``"validation"`` or ``"test"``."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise unknown("split", name, splits)
        return splits[name]


def absolute_name(name: str, *, labeled: bool = True) -> str:
    """Return the name of a data set with an absolute path, as a run stores it.

    Args:
        name: See `load`.
        labeled: Whether labels are required, as for a training.

    Raises:
        UsageError: There is no such data set.
    """
    if name == photographs.NAME and not labeled:
        return name
    if name.startswith(TFDS) and name != TFDS:
        return name
    for prefix in (FOLDER, CSV, NPZ):
        if name.startswith(prefix) and name != prefix:
            return prefix + str(Path(name.removeprefix(prefix)).expanduser().resolve())
    if name not in SOURCES:
        raise unknown("data set", name, NAMES)
    return name


def has_image_files(name: str) -> bool:
    """Return whether a data set consists of image files, which may have any size."""
    return name.startswith((FOLDER, CSV, TFDS))


def load(
    name: str,
    data_dir: Path | None = None,
    shape: tuple[int, int, int] = (224, 224, 3),
    num_validation: int | None = None,
) -> Dataset:
    """Load a data set from the first folder that has it, else download it by `keras.datasets`.

    Image files are listed here, and decoded when they are needed.

    Args:
        name: Key of `SOURCES`, ``"folder:PATH"``, ``"csv:FILE"``, ``"npz:FILE"``,
            ``"tfds:NAME"`` or ``"photographs"``.
        data_dir: Folder to search first. Of the path of a folder or file, only the last part is
            searched for. For TensorFlow Datasets, its folder of data sets.
        shape: Height, width and channels to which image files and photographs are resized; other
            data sets have their own.
        num_validation: Number of training images of a key of `SOURCES` that are held out for
            validation, by default that of the source. A smaller number holds out some of the same
            images.

    Raises:
        UsageError: There is no such data set.
        MissingDataError: It is in none of the folders and cannot be downloaded.
        Error: Its files are broken; for image files see `loading.first_pass`.
    """
    if name == photographs.NAME:
        return _load_photographs(shape)
    name = absolute_name(name)
    if name.startswith(FOLDER):
        return _load_folder(_find(name, data_dir), shape)
    if name.startswith((CSV, TFDS)):
        return _load_csv(_listing(name, data_dir), shape)
    if name.startswith(NPZ):
        return _load_npz(_find(name, data_dir))
    source = SOURCES[name]
    train, test, classes = load_source(name, data_dir)
    remaining, held_out = hold_out(train.labels, num_validation or source.num_validation)
    return Dataset(
        name, train.take(remaining), train.take(held_out), test, classes, source.allows_flip
    )


def stored_shape(name: str, data_dir: Path | None) -> tuple[int, int, int] | None:
    """Return height, width and channels of the images of a data set that stores all in one shape.

    Args:
        name: See `load`.
        data_dir: See `load`.

    Returns:
        None for image files, and for a broken file, which `load` reports.
    """
    if name.startswith(NPZ):
        return npz_file.image_shape(_find(name, data_dir))
    return SOURCES[name].shape if name in SOURCES else None


def _find(name: str, data_dir: Path | None) -> Path:
    """Return the folder or file of a data set: that in `data_dir` if it exists."""
    path = Path(name.partition(":")[2])
    if data_dir is None:
        return path
    moved = data_dir / path.name
    return moved if (moved.is_dir() if name.startswith(FOLDER) else moved.is_file()) else path


def _load_photographs(shape: tuple[int, int, int]) -> Dataset:
    """Return 200 crops for calibration and two times 100 held-out crops."""

    def split(count: int, half: int, seed: int) -> Split:
        return Split(photographs.crops(shape, count, half, seed), np.full(count, -1))

    splits = split(200, 0, 0), split(100, 1, 1), split(100, 1, 2)
    return Dataset(photographs.NAME, *splits, (), allows_flip=True)


def list_files(name: str, data_dir: Path | None = None) -> Parts[LabeledPaths]:
    """Return the image files of a data set that consists of them by split; none is read.

    The test split is the validation split itself if it has no files of its own.

    Raises:
        Error: The folder or file is missing, or it is no data set.
    """
    if name.startswith((CSV, TFDS)):
        file = _listing(name, data_dir)
        return _complete_listing(file, csv_file.read_listing(file))
    return _complete_folder(image_folder.find_splits(_find(name, data_dir)))


def _listing(name: str, data_dir: Path | None) -> Path:
    """Return the CSV file that lists the images of a data set."""
    if name.startswith(TFDS):
        return tfds_files.listing(name.removeprefix(TFDS), data_dir)
    return _find(name, data_dir)


def _complete_folder(found: FolderSplits) -> Parts[LabeledPaths]:
    names = {split: files.folder.name for split, files in found.splits.items()}
    first = next(iter(found.splits.values()))
    parent = first.folder if "all" in found.splits else first.folder.parent
    require_classes(found.splits, first.classes, parent)
    return complete_splits(found.splits, first.classes, SplitNames(f"{parent}/", names, "/"))


def _complete_listing(file: Path, found: csv_file.Listing) -> Parts[LabeledPaths]:
    return complete_splits(found.splits, found.classes, _names(file, found.splits))


def _load_folder(folder: Path, shape: tuple[int, int, int]) -> Dataset:
    found = image_folder.find_splits(folder)
    parts = _complete_folder(found)
    classes = parts.train.classes
    skipped = sum((files.skipped for files in found.splits.values()), Counter())
    log(
        f"{found.folder}: {len(classes)} classes; {parts.summary}"
        + _describe_others(found.others)
        + _describe_skipped(skipped)
        + _describe_resized(shape)
    )
    paths = [path for files in found.splits.values() for path in files.paths]
    fingerprint = image_folder.fingerprint(folder, paths)
    return _of_files(folder, parts, classes, shape, fingerprint)


def _load_csv(file: Path, shape: tuple[int, int, int]) -> Dataset:
    found = csv_file.read_listing(file)
    parts = _complete_listing(file, found)
    log(f"{file}: {len(found.classes)} classes; {parts.summary}" + _describe_resized(shape))
    dataset = _of_files(file.parent, parts, found.classes, shape, found.fingerprint)
    return dataset._replace(name=file.stem)


def _load_npz(file: Path) -> Dataset:
    found = npz_file.read_arrays(file)
    parts = complete_splits(found.splits, found.classes, _names(file, found.splits))
    log(f"{file}: {len(found.classes)} classes; {parts.summary}" + _describe_others(found.others))
    return Dataset(
        file.stem,
        parts.train,
        parts.validation,
        parts.test,
        found.classes,
        allows_flip=True,
        fingerprint=found.fingerprint,
    )


def _names(file: Path, splits: Iterable[str]) -> SplitNames:
    return SplitNames(f"{file}: ", {split: split for split in splits})


def _of_files(
    folder: Path,
    parts: Parts[LabeledPaths],
    classes: tuple[str, ...],
    shape: tuple[int, int, int],
    fingerprint: str,
) -> Dataset:
    """Return a data set of image files."""
    train, validation, test = (
        FileSplit(tuple(map(str, files.paths)), files.labels, shape) for files in parts[:3]
    )
    if parts.test is parts.validation:
        test = validation
    return Dataset(
        folder.name,
        train,
        validation,
        test,
        classes,
        allows_flip=True,
        fingerprint=fingerprint,
        folder=folder,
    )


def _describe_others(names: tuple[str, ...]) -> str:
    """Describe what a data set has beside its splits."""
    return f"; {', '.join(names)} left out" if names else ""


def _describe_resized(shape: tuple[int, int, int]) -> str:
    height, width, channels = shape
    return f"; resized to {height}×{width} {'gray' if channels == 1 else 'RGB'}"


def _describe_skipped(kinds: Counter[str]) -> str:
    """Describe the files in the class folders that are not images."""
    if not kinds:
        return ""
    most = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:5]
    named = [f"{count} {kind}" for kind, count in most]
    return f"; {kinds.total()} other files skipped ({', '.join(named)}{', ...' * (len(kinds) > 5)})"
