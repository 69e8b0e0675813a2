"""Splits of a data set of image files, which are decoded when they are needed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...command import log, progress
from ...errors import Error, first_line
from ..image_folder import MAX_NAMED, enumerate_names
from ..preprocessing import (
    MAX_PIXELS,
    ChooseBox,
    Preprocessing,
    UInt8Images,
    open_image,
    phone_format,
)
from ..splits import SPLIT_SEED, Labels, Split, stratified_indices
from .decoded_cache import DecodedCache
from .parallel import in_order

Result = TypeVar("Result")

PART = 16  # images that a thread decodes at once: Grain's overhead is that of one element


class FileSplit(NamedTuple):
    """Image files, and their class indices `(n,)`; the counterpart of `Split`.

    Attributes:
        paths: Paths of the files.
        labels: Their class indices `(n,)`.
        shape: Height, width and channels to which images are cropped and resized.
        cache: Has the decoded images in this shape; None if there is no such file.
    """

    paths: tuple[str, ...]
    labels: Labels
    shape: tuple[int, int, int]
    cache: DecodedCache | None = None

    def take(self, indices: NDArray[np.int64]) -> FileSplit:
        """Return the images at these indices."""
        paths = tuple(self.paths[index] for index in indices.tolist())
        cache = self.cache and self.cache.take(indices)
        return self._replace(paths=paths, labels=self.labels[indices], cache=cache)

    def sample(self, count: int, seed: int = SPLIT_SEED) -> FileSplit:
        """Return a stratified sample; see `Split.sample`."""
        return self.take(stratified_indices(self.labels, count, seed))

    def resized(self, preprocessing: Preprocessing) -> FileSplit:
        """Return the split in a network's input size and number of channels."""
        cache = self.cache if self.shape == preprocessing.shape else None
        return self._replace(shape=preprocessing.shape, cache=cache)

    def decode(
        self, indices: Sequence[int], choose_boxes: Sequence[ChooseBox] | None = None
    ) -> Part:
        """Return the images at these indices, from the cache if they are not cropped by boxes.

        Args:
            indices: Indices of the images.
            choose_boxes: See `decode`.
        """
        if self.cache is not None and choose_boxes is None:
            return Part(self.cache.read(indices, self.shape), {}, {})
        return decode([self.paths[index] for index in indices], self.shape, choose_boxes)

    def read(self) -> UInt8Images:
        """Decode all images into memory: those of a sample, not of a whole split.

        Returns:
            `(n, height, width, channels)`.

        Raises:
            Error: See `chunks`.
        """
        return np.concatenate([np.empty((0, *self.shape), np.uint8), *self.chunks(PART)])

    def chunks(self, size: int) -> Iterator[UInt8Images]:
        """Yield the images in order, `size` at a time.

        Raises:
            Error: Files are broken or no images; after the first one, the rest of the files is
                searched for others, and the message names up to 20 of them.
        """
        broken: dict[str, Error] = {}
        waiting: list[UInt8Images] = []
        for part in in_parts(self.decode, len(self.paths)):
            broken |= part.broken
            if broken:
                continue
            waiting.append(part.images)
            while sum(map(len, waiting)) >= size:
                images = np.concatenate(waiting)
                yield images[:size]
                waiting = [images[size:]]
        if broken:
            raise unreadable(broken, len(self.paths))
        if waiting and len(images := np.concatenate(waiting)):
            yield images


AnySplit = Split | FileSplit
"""A split of a data set: in memory, or of files."""


class Part(NamedTuple):
    """Some decoded images.

    Attributes:
        images: Pixels of the files that are not broken, `(n, height, width, channels)`.
        broken: Error by path, of the files that are.
        large: Width and height by path, of images with more than `MAX_PIXELS` pixels.
    """

    images: UInt8Images
    broken: dict[str, Error]
    large: dict[str, tuple[int, int]]


def in_parts(function: Callable[[range], Result], count: int) -> Iterator[Result]:
    """Compute a function of all indices in parallel, and yield its results in order.

    Args:
        function: Takes up to `PART` indices.
        count: Number of indices.
    """

    def compute(part: int) -> Result:
        return function(range(PART * part, min(PART * (part + 1), count)))

    with in_order(compute, -(-count // PART)) as results:
        yield from results


def decode(
    paths: Sequence[str],
    shape: tuple[int, int, int],
    choose_boxes: Sequence[ChooseBox] | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> Part:
    """Decode files, crop the images at the center or by boxes, and resize them.

    Args:
        paths: Paths of the files.
        shape: Height, width and channels of the result.
        choose_boxes: For each image, chooses the box to which it is cropped, see
            `Preprocessing.pixels`.
        max_pixels: Images with more pixels count as broken; see `open_image`.
    """
    height, width, channels = shape
    preprocessing = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
    images = np.empty((len(paths), *shape), np.uint8)
    broken: dict[str, Error] = {}
    large: dict[str, tuple[int, int]] = {}
    for index, path in enumerate(paths):
        choose_box = choose_boxes[index] if choose_boxes else None
        try:
            image = open_image(Path(path), max_pixels)
            if image.width * image.height > MAX_PIXELS:
                large[path] = image.size
            images[index - len(broken)] = preprocessing.pixels(image, choose_box)
        except Error as error:
            broken[path] = error
        except Exception as error:  # Pillow raises almost anything for a broken image
            broken[path] = Error(f"{path} cannot be read as an image: {first_line(error)}.")
    return Part(images[: len(paths) - len(broken)], broken, large)


def read_images(paths: Sequence[Path], shape: tuple[int, int, int]) -> UInt8Images:
    """Decode a few files of any size into memory, with a progress bar.

    Args:
        paths: Paths of the files.
        shape: Height, width and channels of the result.

    Returns:
        `(n, height, width, channels)`.

    Raises:
        Error: Files are broken or no images; the message names up to 20 of them.
    """
    images = [np.empty((0, *shape), np.uint8)]
    broken: dict[str, Error] = {}
    large: dict[str, tuple[int, int]] = {}

    def decode_any_size(indices: range) -> Part:
        return decode([str(paths[index]) for index in indices], shape, max_pixels=None)

    with progress("decode images", len(paths)) as advance:
        for part in in_parts(decode_any_size, len(paths)):
            images.append(part.images)
            broken |= part.broken
            large |= part.large
            for _ in range(len(part.images) + len(part.broken)):
                advance()
    if large:
        path = min(large)
        log(
            f"{len(large)} of {len(paths)} images have more than {MAX_PIXELS / 1e6:.0f} "
            f"megapixels, for example {path} with {large[path][0]}×{large[path][1]}: smaller ones "
            "are read faster."
        )
    if broken:
        raise unreadable(broken, len(paths))
    return np.concatenate(images)


def unreadable(broken: Mapping[str, Error], count: int) -> Error:
    """Return one error for all images that cannot be read.

    Args:
        broken: Errors by path.
        count: Number of images that were read, or are broken.
    """
    paths = sorted(map(Path, broken))
    if len(paths) == 1:
        (error,) = broken.values()
        return error
    folder = os.path.commonpath([path.absolute().parent for path in paths])
    names = [os.path.relpath(path, folder) for path in paths]
    kinds = Counter(kind for path in paths if path.is_file() and (kind := phone_format(path)))
    hints = "".join(
        f" {number} are in {kind}: convert them to JPEG." for kind, number in kinds.items()
    )
    return Error(
        f"{len(paths)} of {count} images cannot be read: in {folder}, "
        f"{enumerate_names(names, MAX_NAMED)}. Repair or delete them.{hints}"
    )
