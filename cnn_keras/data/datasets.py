"""Data sets by name: train, validation and test splits of uint8 pixels.

The validation split is cut from the training images once, seeded and stratified; neither training
nor calibration touches it. The test split is the data set's own.

`folder:PATH` is a folder of pictures with a sub-folder for each class (see `image_folder`):

train/ val/ test/    each serves as what it is called; so do Training/, valid/, test_set/
train/ val/          `val/` is the validation and the test split: `best.keras` is chosen by it, but
                     not `model.keras`, whose results a run reports
train/ test/         a tenth of `train/` is the validation split, seeded and stratified
the classes' folders a fifth of the pictures is the test split and a tenth the validation split,
                     seeded and stratified, the same for every run

`photographs` are those that every machine has; nobody has labeled them (see `photographs`).
"""

from __future__ import annotations

import gzip
import io
import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..command import log
from ..errors import Error, unknown
from . import image_folder, photographs
from .preprocessing import Pixels, Preprocessing


class MissingDataError(Error):
    """A data set is in none of the places where it is looked for, and cannot be downloaded."""


Labels = NDArray[np.int64]

SPLIT_SEED = 0  # of what is held out: the same images for every run

FOLDER = "folder:"  # begins the name of a data set that is a folder of pictures
MIN_TO_SPLIT = 5  # pictures of a class: one, a fifth, is for the test

FASHION_CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
CIFAR10_CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
DIGITS = tuple("0123456789")
CIFAR100_CLASSES = tuple(
    f"class {i}" for i in range(100)
)  # named by the data set's own `meta` file


class Source(NamedTuple):
    """A data set: its shape, its classes, and the files it may be found in."""

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    validation: int  # images cut from the training split
    mirror: bool  # whether a mirrored image keeps its class
    files: tuple[str, ...] = ()  # any of these, in the folders that `folders` names
    hint: str = "where there is a network it is downloaded by itself"


IDX = ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte")

SOURCES = {
    "digits": Source((32, 32, 1), DIGITS, 180, mirror=False),
    "fashion_mnist": Source(
        (28, 28, 1),
        FASHION_CLASSES,
        5_000,
        mirror=True,
        files=IDX,
        hint="on Debian: apt-get install dataset-fashion-mnist",
    ),
    "mnist": Source((28, 28, 1), DIGITS, 5_000, mirror=False, files=("mnist.npz", *IDX)),
    "cifar10": Source((32, 32, 3), CIFAR10_CLASSES, 5_000, mirror=True, files=("data_batch_1",)),
    "cifar100": Source((32, 32, 3), CIFAR100_CLASSES, 5_000, mirror=True, files=("train",)),
}


class Split(NamedTuple):
    """Images `(n, height, width, channels)` of uint8 pixels, and their class numbers `(n,)`."""

    images: Pixels
    labels: Labels

    def take(self, indices: NDArray[np.int64]) -> Split:
        """Return the images at these places."""
        return Split(self.images[indices], self.labels[indices])

    def sample(self, count: int, seed: int = SPLIT_SEED) -> Split:
        """Return some of the images, each class in its share; all of them if there are fewer.

        What looks at a part of a split takes it so: a folder's pictures are in the order of their
        classes, and the first of them show one class.

        Args:
            count: How many.
            seed: The same seed takes the same images.
        """
        return self.take(stratified(self.labels, count, seed))

    def resized(self, preprocessing: Preprocessing) -> Split:
        """Return the split in a network's size and number of channels."""
        return Split(preprocessing.resize(self.images), self.labels)


class Dataset(NamedTuple):
    """A data set, ready to train on, if it is labeled.

    One that is not has no classes, and -1 for every label.
    """

    name: str
    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    mirror: bool
    contents: str | None = None  # of a folder: tells whether pictures came, went or changed

    @property
    def labeled(self) -> bool:
        """Whether it is known what its images show."""
        return bool(self.classes)

    def in_classes(self, classes: tuple[str, ...]) -> Dataset:
        """Return the data set with its labels as places among `classes`, which may be more.

        Raises:
            Error: It has a class that is not among them.
        """
        if self.classes in ((), classes):
            return self
        ends = f", {classes[0]} to {classes[-1]}" if classes else ""
        for name in self.classes:
            if name not in classes:
                raise Error(
                    f"The class '{name}' of {self.name} is none of the network's "
                    f"{len(classes)} labels{ends}."
                )
        places = np.array([classes.index(name) for name in self.classes])
        train, validation, test = (
            split._replace(labels=places[split.labels])
            for split in (self.train, self.validation, self.test)
        )
        return self._replace(train=train, validation=validation, test=test, classes=classes)

    def split(self, name: str) -> Split:
        """Return a split by name: ``"train"``, ``"validation"`` or ``"test"``."""
        splits = {"train": self.train, "validation": self.validation, "test": self.test}
        if name not in splits:
            raise unknown("split", name, splits)
        return splits[name]


def full_name(name: str, *, labeled: bool = True) -> str:
    """Return a data set's name as a run keeps it: a folder's path is made absolute.

    Args:
        name: As `load` takes it.
        labeled: Whether it has to be labeled, as for a training.

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
    """Load a data set from the first place that has it, else download it by `keras.datasets`.

    Args:
        name: Row of `SOURCES`, ``"folder:PATH"``, or ``"photographs"``.
        data_dir: Looked at first: itself and its sub-folder of that name.
        shape: Height, width and channels that pictures and photographs are brought to; any other
            data set comes in its own.

    Raises:
        UsageError: There is no such data set.
        MissingDataError: It is in none of the places and cannot be downloaded.
        Error: Its files are broken.
    """
    if name == photographs.NAME:
        return _photographs(shape)
    name = full_name(name)
    if name.startswith(FOLDER):
        return _load_folder(Path(name.removeprefix(FOLDER)), data_dir, shape)
    source = SOURCES[name]
    if name == "digits":
        train, test = _digits()
        classes = source.classes
    else:
        train, test, classes = _find(name, source, data_dir)
    for part in (train, test):
        _check(name, part, len(classes))
    kept, held_out = _hold_out(train.labels, source.validation)
    return Dataset(name, train.take(kept), train.take(held_out), test, classes, source.mirror)


def _photographs(shape: tuple[int, int, int]) -> Dataset:
    """Return 200 crops for calibration and 100 each to judge by."""

    def split(count: int, half: int, seed: int) -> Split:
        return Split(photographs.crops(shape, count, half, seed), np.full(count, -1))

    splits = split(200, 0, 0), split(100, 1, 1), split(100, 1, 2)
    return Dataset(photographs.NAME, *splits, (), mirror=True)


def _load_folder(folder: Path, data_dir: Path | None, shape: tuple[int, int, int]) -> Dataset:
    height, width, channels = shape
    if data_dir is not None and (data_dir / folder.name).is_dir():
        folder = data_dir / folder.name
    found = image_folder.parts(folder)
    parts = found.splits
    origin = {}  # of a split that has no folder of its own
    if "all" in parts:
        train, validation, test = _cut(folder, parts["all"])
    else:
        train = parts["train"]
        if "val" in parts:
            validation = parts["val"]
        else:
            train, validation = _cut_validation(train)
            origin["validation"] = f" (a tenth of {parts['train'].folder.name}/)"
        test = parts.get("test", validation)
        if test is validation:
            origin["test"] = f" ({validation.folder.name}/, for there is no test/)"
    log(
        f"{found.folder}: {len(train.classes)} classes; {len(train.paths)} training, "
        f"{len(validation.paths)} validation{origin.get('validation', '')} and {len(test.paths)} "
        f"test pictures{origin.get('test', '')}"
        + (f"; {', '.join(found.others)} left out" if found.others else "")
        + _skipped(sum((part.skipped for part in parts.values()), Counter()))
        + f"; seen as {height}×{width} {'gray' if channels == 1 else 'RGB'}"
    )
    # All at once, so that whatever is broken is named at once.
    listings = [train, validation] + ([] if test is validation else [test])
    images = image_folder.decode([path for part in listings for path in part.paths], shape)
    ends = np.cumsum([len(part.paths) for part in listings])
    splits = [
        Split(pixels, part.labels)
        for pixels, part in zip(np.split(images, ends[:-1]), listings, strict=True)
    ]
    return Dataset(
        folder.name,
        splits[0],
        splits[1],
        splits[-1],
        train.classes,
        mirror=True,
        contents=image_folder.contents(
            folder, [path for part in parts.values() for path in part.paths]
        ),
    )


def _skipped(kinds: Counter[str]) -> str:
    """Say what lies in the classes' folders that is no picture."""
    if not kinds:
        return ""
    most = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:5]
    named = [f"{count} {kind}" for kind, count in most]
    return f"; {kinds.total()} other files skipped ({', '.join(named)}{', ...' * (len(kinds) > 5)})"


def _cut_validation(
    everything: image_folder.Listing,
) -> tuple[image_folder.Listing, image_folder.Listing]:
    """Return training and validation pictures of a folder that has only those for the test apart.

    Raises:
        Error: There are too few.
    """
    labels = everything.labels
    if len(labels) < 10:
        raise Error(
            f"{everything.folder} holds {len(labels)} pictures, too few to cut a tenth for the "
            "validation split that is not there: add some, or make val/."
        )
    kept, held_out = _hold_out(labels, len(labels) // 10)
    return everything.take(kept), everything.take(held_out)


def _cut(folder: Path, everything: image_folder.Listing) -> tuple[image_folder.Listing, ...]:
    """Return training, validation and test pictures."""
    labels = everything.labels
    counts = np.bincount(labels)
    if counts.min() < MIN_TO_SPLIT:
        raise Error(
            f"{folder / everything.classes[counts.argmin()]} holds {counts.min()} pictures, and a "
            f"split needs {MIN_TO_SPLIT}: add some, or split them yourself into train/ and val/."
        )
    rest, test = _hold_out(labels, len(labels) // 5)
    kept, held_out = _hold_out(labels[rest], len(labels) // 10)
    return everything.take(rest[kept]), everything.take(rest[held_out]), everything.take(test)


def _hold_out(labels: Labels, count: int) -> tuple[Labels, Labels]:
    """Return the places of the images that stay and of the `count` that are held out."""
    held_out = stratified(labels, count, SPLIT_SEED)
    return np.setdiff1d(np.arange(len(labels)), held_out), held_out


def stratified(labels: NDArray[np.integer[Any]], count: int, seed: int) -> Labels:
    """Choose places so that each class has its share, to within one image.

    Args:
        labels: Class numbers `(n,)`.
        count: How many places; all of them if there are fewer.
        seed: The same seed chooses the same places.

    Returns:
        Sorted indices `(count,)` into `labels`.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    # Each image's rank within its own class, as a share of the class: taking the smallest shares
    # takes every class at the same rate.
    ranks = np.empty(len(labels))
    for value in np.unique(labels):
        places = order[labels[order] == value]
        ranks[places] = (np.arange(len(places)) + 0.5) / len(places)
    chosen = order[np.argsort(ranks[order], kind="stable")[:count]]
    return np.sort(chosen)


def _digits() -> tuple[Split, Split]:
    """Return the 1,797 scans of scikit-learn, enlarged to 32×32, a fifth of them for the test."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    pixels = np.rint(scans.images * (255 / 16)).astype(np.uint8)[..., None]
    everything = Split(pixels, scans.target.astype(np.int64)).resized(
        Preprocessing(32, 32, 1, (0.0,), (1.0,))
    )
    train, test = _hold_out(everything.labels, 360)
    return everything.take(train), everything.take(test)


def folders(name: str, data_dir: Path | None) -> Iterator[Path]:
    """List the folders in which a data set may lie, in the order they are looked at."""
    hyphened = name.replace("_", "-")
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"
    roots = [Path("/usr/share/datasets"), keras_home]
    if data_dir is not None:
        yield data_dir
        roots.insert(0, data_dir)
    batches = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
    for root in roots:
        yield root / hyphened
        yield root / name
        if name in batches:
            yield root / batches[name]
            yield root / f"{batches[name]}-target" / batches[name]
    if name == "mnist":
        yield keras_home


def _find(name: str, source: Source, data_dir: Path | None) -> tuple[Split, Split, tuple[str, ...]]:
    places = list(dict.fromkeys(folders(name, data_dir)))
    for folder in places:
        for file in source.files:
            if (folder / file).is_file():
                return _read(folder, file, source)
    try:
        return _download(name, source)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        looked = ", ".join(str(place) for place in places)
        raise MissingDataError(
            f"Data set '{name}' not found: looked for {' or '.join(source.files)} in {looked}; "
            f"the download failed ({reason}). Put the files in --data-dir; {source.hint}."
        ) from error


def _download(name: str, source: Source) -> tuple[Split, Split, tuple[str, ...]]:
    import keras

    with redirect_stdout(sys.stderr):  # its progress; stdout is for results
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return _split(x, y), _split(x_test, y_test), source.classes


def _read(folder: Path, file: str, source: Source) -> tuple[Split, Split, tuple[str, ...]]:
    readers: dict[str, Callable[[], tuple[Split, Split]]] = {
        "mnist.npz": lambda: _read_npz(folder / file),
        "data_batch_1": lambda: (
            _read_cifar([folder / f"data_batch_{i}" for i in range(1, 6)], b"labels"),
            _read_cifar([folder / "test_batch"], b"labels"),
        ),
        "train": lambda: (
            _read_cifar([folder / "train"], b"fine_labels"),
            _read_cifar([folder / "test"], b"fine_labels"),
        ),
    }
    suffix = Path(file).suffix
    try:
        train, test = readers.get(
            file, lambda: (_idx(folder, "train", suffix), _idx(folder, "t10k", suffix))
        )()
        names = folder / "meta"
        classes = source.classes
        if file == "train" and names.is_file():
            classes = tuple(n.decode() for n in _unpickle(names)[b"fine_label_names"])
    except (OSError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise Error(f"The data set in {folder} cannot be read: {error}.") from error
    return train, test, classes


def _split(images: NDArray[np.generic], labels: NDArray[np.generic]) -> Split:
    values = np.asarray(images)
    if values.dtype != np.uint8:
        wrong = int((~np.isfinite(values) | (values < 0) | (values > 255)).sum())
        if wrong:
            raise ValueError(f"{wrong} pixels are NaN, infinite or not between 0 and 255")
        values = np.rint(values).astype(np.uint8)
    if values.ndim == 3:
        values = values[..., None]
    return Split(values, np.asarray(labels).reshape(-1).astype(np.int64))


def _read_npz(path: Path) -> tuple[Split, Split]:
    with np.load(path, allow_pickle=False) as arrays:
        return (
            _split(arrays["x_train"], arrays["y_train"]),
            _split(arrays["x_test"], arrays["y_test"]),
        )


def _idx(folder: Path, part: str, suffix: str) -> Split:
    suffix = ".gz" if suffix == ".gz" else ""
    return _split(
        _read_idx(folder / f"{part}-images-idx3-ubyte{suffix}"),
        _read_idx(folder / f"{part}-labels-idx1-ubyte{suffix}"),
    )


def _read_idx(path: Path) -> Pixels:
    """Read LeCun's IDX format: two zero bytes, a type, a rank, big-endian sizes, the values."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


class _Arrays(pickle.Unpickler):
    """CIFAR's batches are pickles of arrays; nothing else in one is let in."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a batch holds {module}.{name}, not only arrays")


def _unpickle(path: Path) -> dict[bytes, Any]:
    batch: dict[bytes, Any] = _Arrays(io.BytesIO(path.read_bytes()), encoding="bytes").load()
    return batch


def _read_cifar(paths: list[Path], labels: bytes) -> Split:
    batches = [_unpickle(path) for path in paths]
    images = np.concatenate([np.asarray(batch[b"data"]) for batch in batches])
    images = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return _split(images, np.concatenate([np.asarray(batch[labels]) for batch in batches]))


def _check(name: str, split: Split, num_classes: int) -> None:
    if len(split.images) != len(split.labels):
        raise Error(
            f"Data set '{name}' has {len(split.images)} images but {len(split.labels)} labels."
        )
    if split.labels.min() < 0 or split.labels.max() >= num_classes:
        raise Error(f"Data set '{name}' has labels outside 0 to {num_classes - 1}.")
