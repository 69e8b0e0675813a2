"""The named data sets: where their files are, and how each file format is read."""

from __future__ import annotations

import gzip
import io
import os
import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import Error
from .preprocessing import Preprocessing, UInt8Images
from .splits import Split, hold_out


class MissingDataError(Error):
    """A data set is in none of the searched folders and cannot be downloaded."""


DIGITS = tuple("0123456789")
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
# The names are in the data set's `meta` file, which a download by Keras leaves out.
CIFAR100_CLASSES = tuple(f"class {i}" for i in range(100))


class Source(NamedTuple):
    """A named data set.

    Attributes:
        shape: Height, width and channels of its images.
        classes: Class names.
        num_validation: Number of training images that are held out for validation.
        allows_flip: Whether a mirrored image keeps its class.
        title: The name that its authors use.
        page: Web page that describes it, and states its license if it has one.
        license: Name of the license of its images; None if its authors state none.
        hub_name: Name of its copy on the Hugging Face Hub; None if there is none.
        files: A search folder that has any of these files has the data set.
        hint: How to get the data set, for the error if it is missing.
    """

    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    num_validation: int
    allows_flip: bool
    title: str
    page: str
    license: str | None
    hub_name: str | None = None
    files: tuple[str, ...] = ()
    hint: str = "with access to the internet it is downloaded"


_IDX_FILES = ("train-images-idx3-ubyte.gz", "train-images-idx3-ubyte")

_CIFAR_PAGE = "https://www.cs.toronto.edu/~kriz/cifar.html"

SOURCES = {
    "digits": Source(
        (32, 32, 1),
        DIGITS,
        180,
        allows_flip=False,
        title="Optical Recognition of Handwritten Digits",
        page="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        license="CC BY 4.0",
    ),
    "fashion_mnist": Source(
        (28, 28, 1),
        FASHION_CLASSES,
        5_000,
        allows_flip=True,
        title="Fashion-MNIST",
        page="https://github.com/zalandoresearch/fashion-mnist",
        license="MIT",
        hub_name="zalando-datasets/fashion_mnist",
        files=_IDX_FILES,
        hint="on Debian: apt-get install dataset-fashion-mnist",
    ),
    "mnist": Source(
        (28, 28, 1),
        DIGITS,
        5_000,
        allows_flip=False,
        title="MNIST",
        page="https://keras.io/api/datasets/mnist/",
        license="CC BY-SA 3.0",
        hub_name="ylecun/mnist",
        files=("mnist.npz", *_IDX_FILES),
    ),
    "cifar10": Source(
        (32, 32, 3),
        CIFAR10_CLASSES,
        5_000,
        allows_flip=True,
        title="CIFAR-10",
        page=_CIFAR_PAGE,
        license=None,
        hub_name="uoft-cs/cifar10",
        files=("data_batch_1",),
    ),
    "cifar100": Source(
        (32, 32, 3),
        CIFAR100_CLASSES,
        5_000,
        allows_flip=True,
        title="CIFAR-100",
        page=_CIFAR_PAGE,
        license=None,
        hub_name="uoft-cs/cifar100",
        files=("train",),
    ),
}


def load_source(name: str, data_dir: Path | None) -> tuple[Split, Split, tuple[str, ...]]:
    """Load a named data set from the first folder that has it, else download it.

    Args:
        name: Key of `SOURCES`.
        data_dir: Folder to search first.

    Returns:
        Training images, test images and class names.

    Raises:
        MissingDataError: It is in none of the folders and cannot be downloaded.
        Error: Its files are broken.
    """
    source = SOURCES[name]
    if name == "digits":
        train, test = _load_digits()
        classes = source.classes
    else:
        train, test, classes = _find_or_download(name, source, data_dir)
    for split in (train, test):
        _check(name, split, len(classes))
    return train, test, classes


def search_folders(name: str, data_dir: Path | None) -> Iterator[Path]:
    """List the folders in which a data set may be, in the order in which they are searched."""
    hyphened = name.replace("_", "-")
    keras_home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets"
    roots = [Path("/usr/share/datasets"), keras_home]
    if data_dir is not None:
        yield data_dir
        roots.insert(0, data_dir)
    archives = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
    for root in roots:
        yield root / hyphened
        yield root / name
        if name in archives:
            yield root / archives[name]
            yield root / f"{archives[name]}-target" / archives[name]
    if name == "mnist":
        yield keras_home


def _find_or_download(
    name: str, source: Source, data_dir: Path | None
) -> tuple[Split, Split, tuple[str, ...]]:
    folders = list(dict.fromkeys(search_folders(name, data_dir)))
    for folder in folders:
        for file in source.files:
            if (folder / file).is_file():
                return _read(folder, file, source)
    try:
        return _download(name, source)
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        searched = ", ".join(str(folder) for folder in folders)
        raise MissingDataError(
            f"Data set '{name}' not found: searched for {' or '.join(source.files)} in {searched}; "
            f"the download failed ({reason}). Put the files in --data-dir; {source.hint}."
        ) from error


def _download(name: str, source: Source) -> tuple[Split, Split, tuple[str, ...]]:
    import keras

    with redirect_stdout(sys.stderr):  # Keras prints its progress; stdout is for results
        (x, y), (x_test, y_test) = getattr(keras.datasets, name).load_data()
    return _as_split(x, y), _as_split(x_test, y_test), source.classes


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
            file,
            lambda: (_read_idx(folder, "train", suffix), _read_idx(folder, "t10k", suffix)),
        )()
        meta = folder / "meta"
        classes = source.classes
        if file == "train" and meta.is_file():
            classes = tuple(n.decode() for n in _unpickle(meta)[b"fine_label_names"])
    except (OSError, EOFError, KeyError, ValueError, pickle.UnpicklingError) as error:
        raise Error(f"The data set in {folder} cannot be read: {error}.") from error
    return train, test, classes


def _load_digits() -> tuple[Split, Split]:
    """Return the 1,797 scans of scikit-learn, resized to 32×32; a fifth is the test split."""
    from sklearn.datasets import load_digits

    scans = load_digits()
    pixels = np.rint(scans.images * (255 / 16)).astype(np.uint8)[..., None]
    everything = Split(pixels, scans.target.astype(np.int64)).resized(
        Preprocessing(32, 32, 1, (0.0,), (1.0,))
    )
    train, test = hold_out(everything.labels, 360)
    return everything.take(train), everything.take(test)


def _read_npz(path: Path) -> tuple[Split, Split]:
    with np.load(path, allow_pickle=False) as arrays:
        return (
            _as_split(arrays["x_train"], arrays["y_train"]),
            _as_split(arrays["x_test"], arrays["y_test"]),
        )


def _read_idx(folder: Path, part: str, suffix: str) -> Split:
    suffix = ".gz" if suffix == ".gz" else ""
    return _as_split(
        _read_idx_array(folder / f"{part}-images-idx3-ubyte{suffix}"),
        _read_idx_array(folder / f"{part}-labels-idx1-ubyte{suffix}"),
    )


def _read_idx_array(path: Path) -> UInt8Images:
    """Read LeCun's IDX format: two zero bytes, a type, a rank, big-endian sizes, the values."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if len(data) < 4 or data[:3] != b"\0\0\x08":
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    rank = data[3]
    shape = np.frombuffer(data, ">i4", rank, 4)
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickle arrays only, which is all that CIFAR's batches contain: no code is run."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".")[0] == "numpy" and name in ("_reconstruct", "ndarray", "dtype"):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"a batch holds {module}.{name}, not only arrays")


def _unpickle(path: Path) -> dict[bytes, Any]:
    batch: dict[bytes, Any] = _ArrayUnpickler(
        io.BytesIO(path.read_bytes()), encoding="bytes"
    ).load()
    return batch


def _read_cifar(paths: list[Path], labels: bytes) -> Split:
    batches = [_unpickle(path) for path in paths]
    images = np.concatenate([np.asarray(batch[b"data"]) for batch in batches])
    images = images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return _as_split(images, np.concatenate([np.asarray(batch[labels]) for batch in batches]))


def _as_split(images: NDArray[np.generic], labels: NDArray[np.generic]) -> Split:
    values = np.asarray(images)
    if values.dtype != np.uint8:
        wrong = int((~np.isfinite(values) | (values < 0) | (values > 255)).sum())
        if wrong:
            raise ValueError(f"{wrong} pixels are NaN, infinite or not between 0 and 255")
        values = np.rint(values).astype(np.uint8)
    if values.ndim == 3:
        values = values[..., None]
    return Split(values, np.asarray(labels).reshape(-1).astype(np.int64))


def _check(name: str, split: Split, num_classes: int) -> None:
    if len(split.images) != len(split.labels):
        raise Error(
            f"Data set '{name}' has {len(split.images)} images but {len(split.labels)} labels."
        )
    if split.labels.min() < 0 or split.labels.max() >= num_classes:
        raise Error(f"Data set '{name}' has labels outside 0 to {num_classes - 1}.")
