"""Pictures on disk: a folder that has a sub-folder for each class, named as the class is.

Pictures of the formats in `FORMATS`, at any depth in the sub-folder. Hidden files and files of
other kinds are skipped; a picture that cannot be read is an error, for a data set should not shrink
in silence.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..command import log, progress
from ..errors import Error, first_line
from .preprocessing import Pixels, Preprocessing, open_image, photograph_kind

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
_MAX_NAMED = 20  # of broken pictures

# What folders of splits are called, in any case: "Training", "test_set", "seg_train", "valid". What
# stands before the word has to be the same for all of them.
_SPLIT = re.compile(
    r"(?P<before>(?:.*[ _-])?)"
    r"(?:(?P<train>train(?:ing)?)|(?P<val>val(?:id(?:ation|ate)?)?|dev)|(?P<test>test(?:ing)?|eval))"
    r"(?:[ _-]*(?:sets?|data|dataset|images?|split|folder|dir|[0-9]+))*",
    re.IGNORECASE,
)


class Listing(NamedTuple):
    """The pictures of a folder, and their class numbers `(n,)`."""

    folder: Path
    classes: tuple[str, ...]
    paths: tuple[Path, ...]
    labels: NDArray[np.int64]
    skipped: Counter[str]  # files of other kinds, by suffix

    def take(self, places: NDArray[np.int64]) -> Listing:
        """Return the pictures at these places."""
        paths = tuple(self.paths[place] for place in places)
        return self._replace(paths=paths, labels=self.labels[places])


class Parts(NamedTuple):
    """What a folder of pictures consists of.

    Attributes:
        folder: The one that holds the splits or classes.
        splits: Listings with the same classes by ``"train"``, ``"val"`` and ``"test"``; or one by
            ``"all"``.
        others: Names of folders beside those of the splits, which are left out.
    """

    folder: Path
    splits: dict[str, Listing]
    others: tuple[str, ...] = ()


def parts(folder: Path) -> Parts:
    """Return what is in the folders of the splits; or in the whole folder, if it has none.

    Args:
        folder: Holds either those, with sub-folders for the classes, or the sub-folders itself.

    Raises:
        Error: A folder, its classes or their pictures are missing, or it cannot be told what its
            sub-folders are.
    """
    if not folder.is_dir():
        raise Error(f"No such folder of pictures: {folder}.")
    folder = _unpacked(folder)
    found = _splits(folder)
    if not found:
        return Parts(folder, {"all": listing(folder)})
    own = {path for paths in found.values() for path in paths}
    others = tuple(path.name for path in _folders(folder) if path not in own)
    for paths in found.values():
        if len(paths) > 1:
            names = "/ and ".join(path.name for path in paths)
            raise Error(f"{folder} holds {names}/, which are called the same: leave one of them.")
    names = "/ and ".join(sorted(path.name for path in own))
    if "train" not in found:
        raise Error(
            f"{folder} holds {names}/ but no train/: make it, or put the classes' folders beside "
            "one another to have them split."
        )
    (train,) = found["train"]
    if len(found) == 1:  # and not alone, or `folder` would be that
        raise Error(
            f"{folder} holds {names}/ but no val/ or test/, and {_enumerated(others)} beside it: "
            f"name folder:{train} to have that split, or move it away."
        )
    first = listing(_unpacked(train))
    rest = {
        name: listing(_unpacked(found[name][0]), first.classes)
        for name in ("val", "test")
        if name in found
    }
    return Parts(folder, {"train": first} | rest, others)


def _splits(folder: Path) -> dict[str, list[Path]]:
    """Return the splits' folders by ``"train"``, ``"val"``, ``"test"``; of classes alone none.

    A class may be called "train": then its pictures lie in it, and not in sub-folders of it, and no
    class is called "val" or "test".
    """
    named: dict[str, dict[str, list[Path]]] = {}  # by what stands before the word
    for path in _folders(folder):
        if (match := _SPLIT.fullmatch(path.name)) and (split := _split_of(path)):
            group = named.setdefault(match["before"].casefold(), {})
            group.setdefault(split, []).append(path)
    for before, group in named.items():
        whole = "train" in group and len(group) > 1
        if whole or (not before and any(_holds_classes(p) for ps in group.values() for p in ps)):
            return group
    return {}


def listing(folder: Path, classes: tuple[str, ...] = ()) -> Listing:
    """List the pictures in the sub-folders of a folder, sorted by class and name.

    Args:
        folder: Has a sub-folder for each class.
        classes: Those that there may be; by default the sub-folders' names.

    Raises:
        Error: There are no sub-folders or only one, they look like splits and not like classes, one
            holds no picture, or its class is new or its name no line of text.
    """
    found = _folders(folder)
    own = [_class_name(path) for path in found]
    names = classes or tuple(own)
    if not found:
        raise Error(f"{folder} holds no folders: it needs one for each class, with its pictures.")
    if len(names) == 1:
        raise Error(f"{folder} holds only the class '{names[0]}': a network tells two or more.")
    _require_classes(found)
    paths: list[Path] = []
    labels: list[int] = []
    skipped: Counter[str] = Counter()
    for path, name in zip(found, own, strict=True):
        if name not in names:
            raise Error(
                f"{path} is a class that the training pictures lack; they have {', '.join(names)}."
            )
        # A link to nothing is in place of a picture, which then cannot be read.
        files = [file for file in path.rglob("*") if file.is_file() or file.is_symlink()]
        pictures = sorted(file for file in files if _is_picture(file.relative_to(path)))
        kinds = Counter(_kind(file) for file in set(files) - set(pictures))
        if not pictures:
            named = ", ".join(f"{number} {kind}" for kind, number in kinds.most_common(5))
            raise Error(
                f"{path} holds no {', '.join(FORMATS)} picture ({len(files)} other files"
                f"{': ' * bool(named)}{named}): add some, convert these, or delete the folder."
            )
        paths += pictures
        labels += [names.index(name)] * len(pictures)
        skipped += kinds
    return Listing(folder, names, tuple(paths), np.array(labels, np.int64), skipped)


def _require_classes(found: Sequence[Path]) -> None:
    """Refuse folders that share sub-folders' names and hold no pictures themselves: no classes.

    Two names, for a split has two classes or more; and a class may have its pictures in `images/`.
    """
    if any(map(_holds_pictures, found)):
        return
    inner = [(path, {each.name for each in _folders(path)}) for path in found]
    for place, (one, names) in enumerate(inner):
        for other, more in inner[:place]:
            shared = sorted(names & more)
            if len(shared) > 1:
                raise Error(
                    f"{other} and {one} are no classes: they hold no pictures themselves but the "
                    f"same folders, {_enumerated(shared)}. Splits are called train/, val/ and "
                    "test/; or name the folder that holds the classes."
                )


def _unpacked(folder: Path) -> Path:
    """Return the folder that holds the classes or splits where it is packed into others alone.

    Archives are often so: `archive/seg_train/seg_train/`. But a lone `test/` is not all there is.
    """
    while len(inner := _folders(folder)) == 1 and _holds_classes(inner[0]):
        if inner[0].name != folder.name and _split_of(inner[0]) in ("val", "test"):
            break
        (folder,) = inner
    return folder


def _split_of(folder: Path) -> str | None:
    match = _SPLIT.fullmatch(folder.name)
    return next((name for name in ("train", "val", "test") if match and match[name]), None)


def _holds_classes(folder: Path) -> bool:
    return bool(_folders(folder)) and not _holds_pictures(folder)


def _holds_pictures(folder: Path) -> bool:
    return any(_is_picture(Path(path.name)) for path in folder.iterdir() if not path.is_dir())


def _folders(folder: Path) -> list[Path]:
    """Return the sub-folders but hidden ones, macOS' in its archives among them.

    Raises:
        Error: One is a link to what does not exist.
    """
    paths = [path for path in folder.iterdir() if path.name[0] != "." and path.name != "__MACOSX"]
    for path in paths:
        # A picture's link would be named with all that cannot be read, and a text's is skipped.
        if path.is_symlink() and not path.exists() and not path.suffix:
            raise Error(f"{path} is a link to what does not exist: mend it, or delete it.")
    return sorted(path for path in paths if path.is_dir())


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
    return path.suffix.lower() in _SUFFIXES and not any(part[0] == "." for part in path.parts)


def _kind(file: Path) -> str:
    return "hidden" if file.suffix.lower() in _SUFFIXES else file.suffix.lower() or file.name


def _enumerated(names: Sequence[str], of: int = 3) -> str:
    more = f" and {len(names) - of} more" if len(names) > of else ""
    return ", ".join(names[:of]) + more


def decode(paths: Sequence[Path], shape: tuple[int, int, int]) -> Pixels:
    """Decode pictures, with all of them in memory.

    10,000 pictures of 224×224×3 take 1.5 GB, and while a network is trained on them twice that.

    Args:
        paths: The files.
        shape: Height, width and channels of the result.

    Returns:
        `(n, height, width, channels)` uint8.

    Raises:
        Error: Files that are no pictures, or broken ones; all of them are named, up to 20.
    """
    height, width, channels = shape
    preprocessing = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
    images = np.empty((len(paths), *shape), np.uint8)
    broken: dict[Path, Error] = {}
    large: dict[Path, tuple[int, int]] = {}

    def decode_one(place: int) -> None:
        path = paths[place]
        try:
            image = open_image(path)
            if image.width * image.height > (Image.MAX_IMAGE_PIXELS or np.inf):
                large[path] = image.size
            images[place] = preprocessing.pixels(image)
        except Error as error:
            broken[path] = error
        except Exception as error:  # whatever Pillow cannot convert, or finds in its metadata
            broken[path] = Error(f"{path} cannot be read as an image: {first_line(error)}.")

    # Threads, for Pillow decodes and resizes without Python's lock.
    with (
        progress("decode pictures", len(paths)) as advance,
        warnings.catch_warnings(),
        ThreadPoolExecutor() as pool,
    ):
        # Pillow's are about large pictures, for which there is a line below, and about metadata.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        for _ in pool.map(decode_one, range(len(paths))):
            advance()
    if large:
        path = min(large)
        megapixels = (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        log(
            f"{len(large)} of {len(paths)} pictures have more than {megapixels:.0f} megapixels, "
            f"{path} {large[path][0]}×{large[path][1]}: they are read, but smaller ones are read "
            "faster."
        )
    if broken:
        raise _unreadable(broken, len(paths))
    return images


def _unreadable(broken: dict[Path, Error], count: int) -> Error:
    """Return one error for all pictures that cannot be read; of a single one its own."""
    paths = sorted(broken)
    if len(paths) == 1:
        return broken[paths[0]]
    folder = os.path.commonpath([path.absolute().parent for path in paths])
    names = [os.path.relpath(path, folder) for path in paths]
    kinds = Counter(kind for path in paths if path.is_file() and (kind := photograph_kind(path)))
    converted = "".join(
        f" {number} of them are in {kind}: convert them to JPEG." for kind, number in kinds.items()
    )
    return Error(
        f"{len(paths)} of {count} pictures cannot be read: in {folder}, "
        f"{_enumerated(names, _MAX_NAMED)}. Mend or delete them.{converted}"
    )


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
