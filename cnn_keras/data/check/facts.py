"""What is measured of each image of a data set: size, mode, a hash of its pixels, a thumbnail."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...command import progress
from ...errors import Error, first_line
from ..preprocessing import UInt8Images, upright_opaque
from .duplicates import SIDE
from .samples import Sample

# Difference of the channels of a gray image, in gray levels: WebP and JPEG change gray by some.
_MAX_CHROMA = 8

_CHUNK = 4096  # images between two lists of tasks for the threads


@dataclass(frozen=True)
class Facts:
    """Facts about `n` images, in columns, because a data set may have a million.

    Attributes:
        sizes: Width and height in pixels `(n, 2)`, after the EXIF orientation.
        modes: Pillow's name of the mode `(n,)`, for example ``"RGB"`` or ``"L"``.
        formats: Pillow's name of the file format `(n,)`; empty for arrays.
        gray: Whether the thumbnail has no color `(n,)`.
        digests: Hash of the decoded pixels `(n,)`, the same for any lossless format and mode.
        thumbnails: Gray thumbnails `(n, SIDE, SIDE)` of the whole image.
        errors: Why an image cannot be read, by index.
    """

    sizes: NDArray[np.int32]
    modes: NDArray[np.str_]
    formats: NDArray[np.str_]
    gray: NDArray[np.bool_]
    digests: NDArray[np.uint64]
    thumbnails: UInt8Images
    errors: dict[int, str] = field(default_factory=dict)

    @property
    def readable(self) -> NDArray[np.int64]:
        """Indices of the images that can be read."""
        return np.setdiff1d(np.arange(len(self.sizes)), list(self.errors))

    @classmethod
    def empty(cls, count: int) -> Facts:
        """Return facts about `count` images, to be filled in."""
        return cls(
            sizes=np.zeros((count, 2), np.int32),
            modes=np.zeros(count, "U8"),
            formats=np.zeros(count, "U8"),
            gray=np.zeros(count, bool),
            digests=np.zeros(count, np.uint64),
            thumbnails=np.zeros((count, SIDE, SIDE), np.uint8),
        )

    def measure(self, index: int, image: Image.Image) -> None:
        """Fill in the facts about an image.

        Raises:
            ValueError: An image of more than 8 bits has values below black or above white, or NaN.
        """
        upright = upright_opaque(image)
        pixels = _pixels(upright)
        digest = hashlib.blake2b(repr(pixels.shape).encode(), digest_size=8)
        digest.update(pixels.data)
        thumbnail = upright.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        self.sizes[index] = upright.size
        self.modes[index] = image.mode
        self.formats[index] = image.format or ""
        self.gray[index] = np.ptp(np.asarray(thumbnail), axis=2).max() <= _MAX_CHROMA
        self.digests[index] = int.from_bytes(digest.digest())
        self.thumbnails[index] = np.asarray(thumbnail.convert("L"))


def measure(samples: Sequence[Sample]) -> Facts:
    """Read all images one by one and return the facts about them.

    An image that cannot be read has an error instead; training would refuse it.
    """
    facts = Facts.empty(len(samples))

    def measure_one(index: int) -> None:
        try:
            facts.measure(index, samples[index].open())
        except Error as error:
            facts.errors[index] = str(error)
        except Exception as error:  # Pillow raises almost anything for a broken image
            name = samples[index].name
            facts.errors[index] = f"{name} cannot be read as an image: {first_line(error)}."

    # In threads, because Pillow releases the GIL while it decodes and resizes.
    with (
        progress("read images", len(samples)) as advance,
        warnings.catch_warnings(),
        ThreadPoolExecutor() as pool,
    ):
        warnings.filterwarnings("ignore", module=r"PIL\.")  # large images, broken metadata
        for start in range(0, len(samples), _CHUNK):
            for _ in pool.map(measure_one, range(start, min(start + _CHUNK, len(samples)))):
                advance()
    return facts


def _pixels(image: Image.Image) -> NDArray[Any]:
    """Return pixels `(height, width)` if all are gray, else `(height, width, 3)`."""
    if image.mode in ("1", "L"):
        return np.asarray(image.convert("L"))
    pixels = np.asarray(image.convert("RGB"))
    gray = pixels[..., 0]
    if np.array_equal(gray, pixels[..., 1]) and np.array_equal(gray, pixels[..., 2]):
        return np.ascontiguousarray(gray)
    return pixels
