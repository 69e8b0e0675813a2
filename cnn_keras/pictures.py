"""Pictures on disk: a folder that has a sub-folder for each class, named as the class is.

JPEG, PNG and WebP, at any depth in the sub-folder. Hidden files and files of other kinds are
skipped; a picture that cannot be read is an error, for a data set should not shrink in silence.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .command import progress
from .errors import Error
from .preprocessing import Pixels, Preprocessing, open_image

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


class Listing(NamedTuple):
    """The pictures of a folder, and their class numbers `(n,)`."""

    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    skipped: int  # files of other kinds, hidden ones too

    def take(self, places: NDArray[np.int64]) -> Listing:
        """Return the pictures at these places."""
        paths = tuple(self.paths[place] for place in places)
        return self._replace(paths=paths, labels=self.labels[places])


def parts(folder: Path) -> dict[str, Listing]:
    """Return what is in `train/`, `val/` and, if it is there, `test/`; or in the whole folder.

    Args:
        folder: Holds either those, with sub-folders for the classes, or the sub-folders itself.

    Returns:
        Listings with the same classes by the keys ``"train"``, ``"val"``, ``"test"``; or one by the
        key ``"all"``.

    Raises:
        Error: A folder, its classes or their pictures are missing.
    """
    if not folder.is_dir():
        raise Error(f"No such folder of pictures: {folder}.")
    names = {name for name in ("train", "val", "test") if (folder / name).is_dir()}
    # A class may be called "train": then its pictures lie in it, and not in sub-folders of it.
    if not ({"train", "val"} <= names or any(_folders(folder / name) for name in names)):
        return {"all": listing(folder)}
    for name in ("train", "val"):
        if name not in names:
            raise Error(
                f"{folder} holds {'/ and '.join(sorted(names))}/ but no {name}/: make it, or put "
                "the classes' folders beside one another to have them split."
            )
    train = listing(folder / "train")
    others = sorted(names - {"train"}, reverse=True)
    return {"train": train} | {name: listing(folder / name, train.classes) for name in others}


def listing(folder: Path, classes: tuple[str, ...] = ()) -> Listing:
    """List the pictures in the sub-folders of a folder, sorted by class and name.

    Args:
        folder: Has a sub-folder for each class.
        classes: Those that there may be; by default the sub-folders' names.

    Raises:
        Error: There are no sub-folders or only one, one holds no picture, or its class is new or
            its name no line of text.
    """
    found = _folders(folder)
    own = [_class_name(path) for path in found]
    names = classes or tuple(own)
    if not found:
        raise Error(f"{folder} holds no folders: it needs one for each class, with its pictures.")
    if len(names) == 1:
        raise Error(f"{folder} holds only the class '{names[0]}': a network tells two or more.")
    paths: list[Path] = []
    labels: list[int] = []
    skipped = 0
    for path, name in zip(found, own, strict=True):
        if name not in names:
            raise Error(
                f"{path} is a class that the training pictures lack; they have {', '.join(names)}."
            )
        files = [file for file in path.rglob("*") if file.is_file()]
        pictures = sorted(file for file in files if _is_picture(file.relative_to(path)))
        if not pictures:
            raise Error(
                f"{path} holds no JPEG, PNG or WebP picture ({len(files)} other files): add some, "
                "or delete the folder."
            )
        paths += pictures
        labels += [names.index(name)] * len(pictures)
        skipped += len(files) - len(pictures)
    return Listing(names, tuple(paths), np.array(labels, np.int64), skipped)


def _folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _class_name(folder: Path) -> str:
    """Return a folder's name as text, whatever the locale.

    Raises:
        Error: A file of labels, one a line in UTF-8, cannot hold it.
    """
    name = folder.name
    with suppress(UnicodeDecodeError):  # else as the locale has it
        name = os.fsencode(name).decode()
    wrong = "" if name.splitlines() == [name] else "has a line break in its name"
    try:
        name.encode()
    except UnicodeEncodeError:
        wrong = "has a name that is not UTF-8"
    if wrong:
        raise Error(f"The folder {str(folder)!a} {wrong}, and it is its class's: rename it.")
    return name


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and not any(part[0] == "." for part in path.parts)


def decode(paths: Sequence[Path], shape: tuple[int, int, int]) -> Pixels:
    """Decode pictures as `predict` does, with all of them in memory.

    10,000 pictures of 224×224×3 take 1.5 GB, and while a network is trained on them twice that.

    Args:
        paths: The files.
        shape: Height, width and channels of the result.

    Returns:
        `(n, height, width, channels)` uint8.

    Raises:
        Error: A file is no picture, or a broken one.
    """
    height, width, channels = shape
    preprocessing = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
    images = np.empty((len(paths), *shape), np.uint8)

    def decode_one(place: int) -> None:
        images[place] = preprocessing.pixels(open_image(paths[place]))

    # Threads, for Pillow decodes and resizes without Python's lock.
    with progress("decode pictures", len(paths)) as advance, ThreadPoolExecutor() as pool:
        for _ in pool.map(decode_one, range(len(paths))):
            advance()
    return images


def contents(folder: Path, paths: Sequence[Path]) -> str:
    """Return what tells one content of a folder from another: a count and a digest.

    The digest is of names and sizes, so that nothing needs to be read.

    Example:
        ``"180 pictures, 1f0e9c2a6b7d"``
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        line = f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n"
        digest.update(line.encode(errors="surrogateescape"))  # a name may be in another encoding
    return f"{len(paths)} pictures, {digest.hexdigest()[:12]}"
