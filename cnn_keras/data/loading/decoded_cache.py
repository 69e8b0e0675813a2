"""A file of decoded images, from which later epochs and trainings read them."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray

from ..preprocessing import UInt8Images

# Part of the names of files. It changes with the pixels that the same images have.
_VERSION = f"1, Pillow {PIL.__version__}"


class DecodedCache(NamedTuple):
    """Where the images of a split are in a cache.

    Attributes:
        file: The pixels of images of one shape, one image after the other.
        rows: Place of each image in it `(n,)`.
    """

    file: str
    rows: NDArray[np.int64]

    def take(self, indices: NDArray[np.int64]) -> DecodedCache:
        """Return the places of the images at these indices."""
        return self._replace(rows=self.rows[indices])

    def read(self, indices: Sequence[int], shape: tuple[int, int, int]) -> UInt8Images:
        """Read images of this height, width and number of channels.

        Returns:
            `(n, height, width, channels)`.
        """
        # Not mapped into memory, because the pages that have been read would count as this
        # process's memory.
        images = np.empty((len(indices), *shape), np.uint8)
        descriptor = _open(self.file)
        for image, row in zip(images, self.rows[list(indices)].tolist(), strict=True):
            os.preadv(descriptor, [image.data], row * image.size)
        return images


@lru_cache(maxsize=1)
def _open(file: str) -> int:
    """Return a file descriptor, which threads may share."""
    return os.open(file, os.O_RDONLY)


def cache_file(folder: Path, paths: Sequence[str], shape: tuple[int, int, int]) -> Path:
    """Return the file of a folder that has images in one shape, or would have them.

    Its name changes with the paths, sizes and modification times of the images, with the shape, and
    with the version of Pillow, so that no other pixels are read.

    Args:
        folder: The folder of caches.
        paths: Paths of the images, in the order of their pixels.
        shape: Height, width and channels.
    """
    digest = hashlib.sha256(f"{_VERSION} {shape}\n".encode())
    for path in paths:
        file = Path(path).absolute()
        status = file.stat() if file.exists() else None  # a broken link
        line = f"{file} {status and (status.st_size, status.st_mtime_ns)}\n"
        digest.update(line.encode(errors="surrogateescape"))
    return folder / f"{digest.hexdigest()[:24]}_{'x'.join(map(str, shape))}.pixels"


class NewCache(NamedTuple):
    """A temporary file of decoded images.

    Attributes:
        path: Its path.
        file: The open file.
    """

    path: Path
    file: BinaryIO

    def write(self, images: UInt8Images) -> None:
        """Append images `(n, height, width, channels)`."""
        self.file.write(images.tobytes())

    def publish(self, path: Path) -> None:
        """Give the file its name, after all of it is on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())
        self.path.chmod(0o644)
        self.path.replace(path)


@contextmanager
def new_cache(folder: Path) -> Iterator[NewCache]:
    """Open a temporary file, which is removed if it is not published.

    Args:
        folder: The folder of caches; it is created.

    Raises:
        OSError: The folder cannot be written, or the disk is full.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=folder, prefix=".", suffix=".pixels")
    try:
        with os.fdopen(handle, "wb") as file:
            yield NewCache(Path(name), file)
    except OSError as error:
        error.filename = error.filename or folder  # the error of a full disk does not name it
        raise
    finally:
        Path(name).unlink(missing_ok=True)
