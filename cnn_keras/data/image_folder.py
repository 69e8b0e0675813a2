"""Images in a folder that has a sub-folder for each class, named after the class.

Images have one of the formats in `FORMATS` and are at any depth in the sub-folder. Hidden files and
other files are skipped. An image that cannot be read is an error, so that no data set shrinks
unnoticed.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import Error

FORMATS = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "PNG": (".png",),
    "WebP": (".webp",),
    "BMP": (".bmp", ".dib"),
    "GIF": (".gif",),  # the first frame
    "TIFF": (".tif", ".tiff"),  # the first page
    "PNM": (".ppm", ".pgm", ".pbm", ".pnm"),
}
_SUFFIXES = frozenset(suffix for suffixes in FORMATS.values() for suffix in suffixes)
MAX_NAMED = 20  # images in an error

# Names of the folders of splits, in any case: "Training", "test_set", "seg_train", "valid". The
# prefix must be the same for all of them.
_SPLIT = re.compile(
    r"(?P<prefix>(?:.*[ _-])?)"
    r"(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation|ate)?)?|dev)|(?P<test>test(?:ing)?|eval))"
    r"(?:[ _-]*(?:sets?|data|dataset|images?|split|folder|dir|[0-9]+))*",
    re.IGNORECASE,
)


class LabeledPaths(NamedTuple):
    """The images of a folder, and their class indices `(n,)`.

    Attributes:
        folder: The folder that contains the class folders.
        classes: Class names.
        paths: The image files.
        labels: Their class indices `(n,)`.
        skipped: Number of other files by suffix.
    """

    folder: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    skipped: Counter[str]

    def take(self, indices: NDArray[np.int64]) -> LabeledPaths:
        """Return the images at these indices."""
        paths = tuple(self.paths[index] for index in indices)
        return self._replace(paths=paths, labels=self.labels[indices])


class FolderSplits(NamedTuple):
    """The splits of a folder of images.

    Attributes:
        folder: The folder that contains the folders of the splits or classes.
        splits: Images of the same classes by ``"train"``, ``"val"`` and ``"test"``; or all images
            by ``"all"``, if there are no folders of splits.
        others: Names of folders beside those of the splits, which are left out.
    """

    folder: Path
    splits: dict[str, LabeledPaths]
    others: tuple[str, ...] = ()


def find_splits(folder: Path) -> FolderSplits:
    """Return the images in the folders of the splits, or all images if there are no such folders.

    Args:
        folder: Contains either the folders of the splits, with class folders in them, or the class
            folders.

    Raises:
        Error: A folder, its classes or their images are missing, or it is unclear which sub-folders
            are splits.
    """
    if not folder.is_dir():
        raise Error(f"No such folder of images: {folder}.")
    folder = _skip_wrappers(folder)
    found = _split_folders(folder)
    if not found:
        return FolderSplits(folder, {"all": list_images(folder)})
    used = {path for paths in found.values() for path in paths}
    others = tuple(path.name for path in _subfolders(folder) if path not in used)
    for paths in found.values():
        if len(paths) > 1:
            names = "/ and ".join(path.name for path in paths)
            raise Error(f"{folder} has {names}/, which name the same split: keep one of them.")
    names = "/ and ".join(sorted(path.name for path in used))
    if "train" not in found:
        raise Error(
            f"{folder} has {names}/ but no train/: make it, or put all class folders side by side "
            "into one folder, which is then split."
        )
    (train,) = found["train"]
    if len(found) == 1:  # with other folders beside it: _skip_wrappers enters a lone train/
        raise Error(
            f"{folder} has {names}/ but no val/ or test/, and {enumerate_names(others)} beside "
            f"it: use folder:{train} to split that folder, or move {enumerate_names(others)} away."
        )
    first = list_images(_skip_wrappers(train))
    rest = {
        name: list_images(_skip_wrappers(found[name][0]), first.classes)
        for name in ("val", "test")
        if name in found
    }
    return FolderSplits(folder, {"train": first} | rest, others)


def list_images(folder: Path, classes: tuple[str, ...] = ()) -> LabeledPaths:
    """List the images in the sub-folders of a folder, sorted by class and name.

    Args:
        folder: Has a sub-folder for each class.
        classes: The allowed class names; by default the names of the sub-folders.

    Raises:
        Error: There are no sub-folders or only one, they look like splits and not like classes, one
            has no image, or its class is not allowed or has a name that labels.txt cannot hold.
        OSError: A folder cannot be read.
    """
    subfolders = _subfolders(folder)
    found = [_class_name(path) for path in subfolders]
    names = classes or tuple(found)
    if not subfolders:
        raise Error(f"{folder} has no sub-folders: it needs one for each class, with its images.")
    if len(names) == 1:
        raise Error(f"{folder} has only the class '{names[0]}': a classifier needs two or more.")
    _require_classes(subfolders)
    paths: list[Path] = []
    labels: list[int] = []
    skipped: Counter[str] = Counter()
    for path, name in zip(subfolders, found, strict=True):
        if name not in names:
            raise Error(
                f"{path} is a class that the training images lack; they have {', '.join(names)}."
            )
        files = list(_files(path))
        images = sorted(file for file in files if _is_image(file.relative_to(path)))
        kinds = Counter(_kind(file) for file in set(files) - set(images))
        if not images:
            named = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(5))
            raise Error(
                f"{path} has no {', '.join(FORMATS)} image ({len(files)} other files"
                f"{': ' * bool(named)}{named}): add some, convert these, or delete the folder."
            )
        paths += images
        labels += [names.index(name)] * len(images)
        skipped += kinds
    return LabeledPaths(folder, names, tuple(paths), np.array(labels, np.int64), skipped)


def _files(folder: Path) -> Iterator[Path]:
    """Yield the files in a folder at any depth, and links: a broken one is an unreadable image.

    Raises:
        OSError: A folder cannot be read; its images would be missing unnoticed.
    """

    def stop(error: OSError) -> NoReturn:
        raise error

    for path, folders, files in os.walk(folder, onerror=stop):
        for file in (Path(path, name) for name in files + folders):
            if file.is_symlink() or file.is_file():
                yield file


def _split_folders(folder: Path) -> dict[str, list[Path]]:
    """Return the folders of splits by ``"train"``, ``"val"``, ``"test"``; empty if there are none.

    A class may be named "train": then its folder contains images instead of sub-folders, and no
    class is named "val" or "test".
    """
    groups: dict[str, dict[str, list[Path]]] = {}  # by prefix
    for path in _subfolders(folder):
        if (match := _SPLIT.fullmatch(path.name)) and (split := split_name(path.name)):
            group = groups.setdefault(match["prefix"].casefold(), {})
            group.setdefault(split, []).append(path)
    for prefix, group in groups.items():
        complete = "train" in group and len(group) > 1
        has_classes = any(_has_subfolders_only(path) for paths in group.values() for path in paths)
        if complete or (not prefix and has_classes):
            return group
    return {}


def _require_classes(folders: Sequence[Path]) -> None:
    """Refuse folders that have no images but sub-folders of the same names: they are no classes.

    They must share two names, because a split has two classes or more, and each class may have its
    images in a sub-folder of the same name, such as `images/`.
    """
    if any(map(_has_images, folders)):
        return
    named = [(path, {inner.name for inner in _subfolders(path)}) for path in folders]
    for index, (path, names) in enumerate(named):
        for other, other_names in named[:index]:
            shared = sorted(names & other_names)
            if len(shared) > 1:
                raise Error(
                    f"{other} and {path} are not classes: they have no images but the same "
                    f"sub-folders, {enumerate_names(shared)}. Name splits train/, val/ and "
                    "test/; or give the folder that contains the classes."
                )


def _skip_wrappers(folder: Path) -> Path:
    """Return the first folder inside a folder that is more than a wrapper of one sub-folder.

    Archives often have wrappers: `archive/seg_train/seg_train/`. A lone `test/` is not a wrapper.
    """
    while len(inner := _subfolders(folder)) == 1 and _has_subfolders_only(inner[0]):
        if inner[0].name != folder.name and split_name(inner[0].name) in ("val", "test"):
            break
        (folder,) = inner
    return folder


def split_name(name: str) -> str | None:
    """Return ``"train"``, ``"val"`` or ``"test"`` for any common name of that split, else None.

    Example:
        >>> split_name("Training"), split_name("valid"), split_name("flowers")
        ('train', 'val', None)
    """
    match = _SPLIT.fullmatch(name)
    return next((name for name in ("train", "val", "test") if match and match[name]), None)


def _has_subfolders_only(folder: Path) -> bool:
    return bool(_subfolders(folder)) and not _has_images(folder)


def _has_images(folder: Path) -> bool:
    return any(_is_image(Path(path.name)) for path in folder.iterdir() if not path.is_dir())


def _subfolders(folder: Path) -> list[Path]:
    """Return the sub-folders without hidden ones and those that macOS adds to archives.

    Raises:
        Error: One is a broken link.
    """
    paths = [path for path in folder.iterdir() if path.name[0] != "." and path.name != "__MACOSX"]
    for path in paths:
        # A link with a suffix is a file: an image is reported when it is read, others are skipped.
        if path.is_symlink() and not path.exists() and not path.suffix:
            raise Error(f"{path} is a link to a path that does not exist: repair or delete it.")
    return sorted(path for path in paths if path.is_dir())


def _class_name(folder: Path) -> str:
    """Return the name of a class folder as text, independent of the locale.

    Raises:
        Error: labels.txt, with one name per line in UTF-8, cannot hold it.
    """
    name = folder.name
    with suppress(UnicodeDecodeError):  # then keep the name as the locale decodes it
        name = os.fsencode(name).decode()
    if problem := class_name_problem(name):
        raise Error(f"The class folder {str(folder)!a} has {problem}: rename it.")
    return name


def class_name_problem(name: str) -> str:
    """Return why labels.txt, with one name per line in UTF-8, cannot hold a class name, else ""."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return "a name that is not UTF-8"
    if not name:
        return "an empty name"
    return "" if name.splitlines() == [name] else "a line break in its name"


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and not any(part[0] == "." for part in path.parts)


def _kind(file: Path) -> str:
    return "hidden" if file.suffix.lower() in _SUFFIXES else file.suffix.lower() or file.name


def enumerate_names(names: Sequence[str], limit: int = 3) -> str:
    """Return the first names, and how many more there are."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def fingerprint(folder: Path, paths: Sequence[Path]) -> str:
    """Return a text that changes with the files of a folder: their number and a digest.

    The digest is of names and sizes, so that no file is read.

    Example:
        ``"180 pictures, 1f0e9c2a6b7d"``
    """
    return fingerprint_of((path.relative_to(folder).as_posix(), path) for path in sorted(paths))


def fingerprint_of(files: Iterable[tuple[str, Path]]) -> str:
    """Return the fingerprint of files, each with a text that identifies it."""
    digest = hashlib.sha256()
    count = 0
    for text, path in files:
        size = path.stat().st_size if path.exists() else None  # a broken link
        line = f"{text} {size}\n"
        digest.update(line.encode(errors="surrogateescape"))  # a name may be in another encoding
        count += 1
    return f"{count} pictures, {digest.hexdigest()[:12]}"  # compared with config.json of runs
