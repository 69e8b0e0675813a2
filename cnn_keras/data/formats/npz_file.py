"""Images and labels as numpy arrays in an `.npz` file."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...errors import Error, first_line
from ..downloads import require_downloaded
from ..image_folder import class_name_problem, enumerate_names, split_name
from ..preprocessing import UInt8Images
from ..splits import Split, require_classes

Array = NDArray[Any]

_LAYOUTS = "x_train, y_train and perhaps x_val, y_val, x_test, y_test; or images, labels, split"
# What numpy and zipfile raise for a broken file.
_BROKEN = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    MemoryError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


class LabeledArrays(NamedTuple):
    """The images of an `.npz` file.

    Attributes:
        splits: Images of the same classes by ``"train"``, ``"val"`` and ``"test"``; or all images
            by ``"all"``, if the file has no splits or only training images.
        classes: Class names.
        fingerprint: Changes with the arrays, but not with their compression.
        others: Names of arrays that are left out.
    """

    splits: dict[str, Split]
    classes: tuple[str, ...]
    fingerprint: str
    others: tuple[str, ...]


def read_arrays(file: Path) -> LabeledArrays:
    """Read the arrays of an `.npz` file in one of two layouts.

    `x_train`, `y_train` and the same for `val` and `test`, as in Keras' `mnist.npz`; or `images`,
    `labels` and, if the file has splits, `split`, the name of each image's split. Images are
    `(n, height, width)` or `(n, height, width, channels)` uint8 with 1 or 3 channels. Labels are
    integers or text. `classes` names the classes of integers, else they are named by themselves.

    Args:
        file: The file. Pickled objects in it are not loaded, because they can run code.

    Raises:
        Error: The file is missing or broken, it lacks an array, an array has another type or shape,
            a label is no class, or a split lacks a class.
    """
    arrays, others = _load(file)
    pairs = _pairs(file, arrays) or {"all": ("images", "labels")}
    for images, labels in pairs.values():
        _check_images(f"{file}: {images}", arrays[images])
        _check_labels(f"{file}: {labels}", arrays[labels], len(arrays[images]), images)
    sizes = sorted({arrays[images].shape[1:] for images, _ in pairs.values()})
    if len(sizes) > 1:
        raise Error(
            f"{file} has images of {sizes[0]} and of {sizes[1]}: all splits need the same shape."
        )
    found = {split: (arrays[images], arrays[labels]) for split, (images, labels) in pairs.items()}
    if "split" in arrays:
        found = _by_split(file, *found["all"], arrays["split"])
    if set(found) == {"train"}:
        found = {"all": found["train"]}
    elif not {"all", "train"} & set(found):
        raise Error(f"{file} has no training images: it needs {_LAYOUTS}.")
    splits, classes = _with_class_indices(file, found, arrays.get("classes"))
    require_classes(splits, classes, file)
    return LabeledArrays(splits, classes, _fingerprint(splits, classes), others)


def image_shape(file: Path) -> tuple[int, int, int] | None:
    """Return height, width and channels of the images without reading them.

    Returns:
        None if there is no such file or it is broken, which `read_arrays` reports.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            pairs = _pairs(file, [name.removesuffix(".npy") for name in archive.namelist()])
            name = pairs["train"][0] if pairs else "images"
            with archive.open(f"{name}.npy") as member:
                version = np.lib.format.read_magic(member)
                if version == (1, 0):
                    shape, _, _ = np.lib.format.read_array_header_1_0(member)
                else:
                    shape, _, _ = np.lib.format.read_array_header_2_0(member)
        height, width, *channels = shape[1:]
    except (*_BROKEN, Error):
        return None
    return height, width, channels[0] if channels else 1


def _load(file: Path) -> tuple[dict[str, Array], tuple[str, ...]]:
    """Return the arrays of a data set by name, and the names of other arrays.

    Raises:
        Error: The file is missing or broken, an array is missing or contains Python objects.
    """
    if not file.is_file():
        raise Error(f"No such file: {file}.")
    require_downloaded(file)
    if not zipfile.is_zipfile(file):
        raise Error(f"{file} is not an .npz file or is truncated: write it with numpy.savez.")
    arrays: dict[str, Array] = {}
    name = ""
    try:
        with np.load(file, allow_pickle=False) as opened:
            required = [name for pair in _pairs(file, opened.files).values() for name in pair]
            optional = ["classes"]
            if not required:
                required = ["images", "labels"]
                optional.append("split")
            if missing := [name for name in required if name not in opened.files]:
                present = enumerate_names(sorted(opened.files), 10) or "none"
                raise Error(
                    f"{file} has no array {' and no '.join(missing)} ({present}): it needs "
                    f"{_LAYOUTS}."
                )
            others = tuple(sorted({*opened.files} - {*required, *optional}))
            for name in opened.files:
                if name not in others:
                    arrays[name] = np.asarray(opened[name])  # another file in it is bytes
    except _BROKEN as error:
        if isinstance(error, ValueError) and "allow_pickle" in str(error):
            raise Error(
                f"{file}: {name} contains Python objects, which are not loaded because they can "
                "run code: save numbers, or text with astype('U')."
            ) from error
        where = f" at {name}" if name else ""
        raise Error(f"{file} cannot be read{where}: {first_line(error)}.") from error
    return arrays, others


def _pairs(file: Path, names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Return the names of the arrays of images and labels of each split.

    Returns:
        By split; empty if the file has the other layout.

    Raises:
        Error: An array is missing, or there are two for the same split.
    """
    found: dict[str, dict[str, str]] = {}
    for name in names:
        kind, _, rest = name.partition("_")
        if kind in ("x", "y") and (split := split_name(rest)):
            pair = found.setdefault(split, {})
            if kind in pair:
                raise Error(f"{file} has {pair[kind]} and {name}, of the same split: keep one.")
            pair[kind] = name
    for pair in found.values():
        if len(pair) == 1:
            ((kind, name),) = pair.items()
            other = f"{'y' if kind == 'x' else 'x'}{name[1:]}"
            raise Error(f"{file} has {name} but no {other}: add it, or leave {name} out.")
    return {split: (pair["x"], pair["y"]) for split, pair in found.items()}


def _check_images(where: str, images: Array) -> None:
    """Refuse arrays that are no images."""
    if images.dtype.kind == "f" and (wrong := np.count_nonzero(~np.isfinite(images))):
        raise Error(
            f"{where}: {wrong} of {images.size} values are NaN or infinite; pixels are uint8, "
            "from 0 to 255."
        )
    if images.dtype != np.uint8:
        raise Error(
            f"{where} is {images.dtype}; pixels are uint8, from 0 to 255: convert it, where 1.0 is "
            "white with np.rint(255 * images).astype(np.uint8)."
        )
    channels = images.shape[3:] or (1,)
    if images.ndim not in (3, 4) or not images.size or channels[0] not in (1, 3):
        raise Error(
            f"{where} has shape {images.shape}; images are (n, height, width) or (n, height, "
            "width, channels) with 1 or 3 channels, one or more."
        )


def _check_labels(where: str, labels: Array, count: int, images: str) -> None:
    """Refuse arrays that are no class indices or names."""
    if labels.dtype.kind not in "iuU":
        raise Error(f"{where} is {labels.dtype}; labels are integers or text.")
    if labels.ndim != 1 and labels.shape[1:] != (1,):
        raise Error(
            f"{where} has shape {labels.shape}; labels are (n,): convert one-hot rows with "
            "argmax(axis=1)."
        )
    if len(labels) != count:
        raise Error(f"{where} has {len(labels)} labels for the {count} images of {images}.")


def _by_split(
    file: Path, images: Array, labels: Array, names: Array
) -> dict[str, tuple[Array, Array]]:
    """Return images and labels by split.

    Args:
        file: The file, for errors.
        images: All images.
        labels: Their labels.
        names: The name of each image's split.

    Raises:
        Error: These are not names of splits, or they are more or fewer than the images.
    """
    if names.dtype.kind != "U" or names.shape != (len(images),):
        raise Error(
            f"{file}: split is {names.dtype} of shape {names.shape}; it is text of shape "
            f"({len(images)},), the name of each image's split."
        )
    splits = np.empty(names.shape, "U5")
    for name in np.unique(names):
        if not (split := split_name(str(name))):
            raise Error(f"{file} has the unknown split '{name}': name it train, val or test.")
        splits[names == name] = split
    return {str(s): (images[splits == s], labels[splits == s]) for s in np.unique(splits)}


def _with_class_indices(
    file: Path, found: dict[str, tuple[Array, Array]], given: Array | None
) -> tuple[dict[str, Split], tuple[str, ...]]:
    """Return the splits with class indices as labels, and the class names.

    Args:
        file: The file, for errors.
        found: Images and labels by split.
        given: Class names, if the file has them: integer labels are indices into them.

    Raises:
        Error: A label is no class, or a class name cannot be used.
    """
    labels = {split: values.reshape(-1) for split, (_, values) in found.items()}
    if given is None:
        first = np.unique(labels["all" if "all" in labels else "train"])  # sorted
        classes = tuple(map(str, first.tolist()))
        origin = "a class that the training images lack; they have"
    else:
        classes = _class_names(file, given)
        origin = "not among its classes,"
        for split, values in labels.items():
            if values.dtype.kind == "U":
                continue
            wrong = values[(values < 0) | (values >= len(classes))]
            if wrong.size:
                raise Error(
                    f"{file} has the label {wrong[0]}, which is outside 0 to {len(classes) - 1}, "
                    f"the indices of its {len(classes)} classes."
                )
            labels[split] = np.array(classes)[values]
    for name in classes:
        if problem := class_name_problem(name):
            raise Error(f"{file}: the class {name!a} has {problem}: change it.")
    indices = {name: index for index, name in enumerate(classes)}
    splits = {}
    for split, (images, _) in found.items():
        names = [str(label) for label in labels[split].tolist()]
        if unknown := sorted(set(names) - set(classes)):
            listed = enumerate_names(classes, 10)
            raise Error(f"{file} has the label '{unknown[0]}', {origin} {listed}.")
        pixels: UInt8Images = images if images.ndim == 4 else images[..., None]
        splits[split] = Split(pixels, np.array([indices[name] for name in names], np.int64))
    return splits, classes


def _class_names(file: Path, given: Array) -> tuple[str, ...]:
    if given.dtype.kind != "U" or given.ndim != 1 or len(np.unique(given)) != len(given):
        raise Error(
            f"{file}: classes is {given.dtype} of shape {given.shape}; it is text of shape "
            "(classes,), all different."
        )
    return tuple(given.tolist())


def _fingerprint(splits: dict[str, Split], classes: tuple[str, ...]) -> str:
    """Return the number of images and a digest of all pixels, labels and class names."""
    digest = hashlib.sha256(repr(classes).encode())
    for split, (images, labels) in sorted(splits.items()):
        digest.update(f"{split} {images.shape}".encode())
        digest.update(np.ascontiguousarray(images).data)
        digest.update(np.ascontiguousarray(labels).data)
    count = sum(len(split.labels) for split in splits.values())
    return f"{count} pictures, {digest.hexdigest()[:12]}"
