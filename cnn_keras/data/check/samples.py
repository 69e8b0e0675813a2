"""The images of a data set one by one, with the splits that a training uses."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from .. import datasets
from ..preprocessing import MAX_PIXELS, open_image
from ..splits import distinct_splits


class Sample(NamedTuple):
    """An image of a data set.

    Attributes:
        name: Its path in the folder of all images, or its index in the split.
        split: ``"train"``, ``"validation"`` or ``"test"``.
        label: Its class, as an index.
        open: Reads it.
    """

    name: str
    split: str
    label: int
    open: Callable[[], Image.Image]


class Samples(NamedTuple):
    """The images of a data set.

    Attributes:
        classes: Class names.
        images: The images, by split.
    """

    classes: tuple[str, ...]
    images: list[Sample]


def list_samples(data: str, data_dir: Path | None = None) -> Samples:
    """List the images of a data set. Files are read when they are opened, one by one.

    Args:
        data: Name of the data set; see `datasets.load`.
        data_dir: Folder to search first.

    Raises:
        UsageError: There is no such data set.
        Error: It is missing, or a folder or file is no data set.
    """
    data = datasets.absolute_name(data)
    if datasets.has_image_files(data):
        return _list_files(data, data_dir)
    dataset = datasets.load(data, data_dir)
    images = []
    for split, images_of_split in dataset.splits.items():
        pixels = images_of_split.read()
        pixels = pixels[..., 0] if pixels.shape[-1] == 1 else pixels
        for index, label in enumerate(images_of_split.labels.tolist()):
            decode = partial(Image.fromarray, pixels[index])
            images.append(Sample(str(index), split, label, decode))
    return Samples(dataset.classes, images)


def _list_files(data: str, data_dir: Path | None) -> Samples:
    train, validation, test, _ = datasets.list_files(data, data_dir)
    splits = distinct_splits(train, validation, test)
    paths = [path for files in splits.values() for path in files.paths]
    folder = os.path.commonpath([path.parent for path in paths])
    images = [
        Sample(
            Path(os.path.relpath(path, folder)).as_posix(),
            split,
            label,
            partial(open_image, path, MAX_PIXELS),
        )
        for split, files in splits.items()
        for path, label in zip(files.paths, files.labels.tolist(), strict=True)
    ]
    return Samples(train.classes, images)
