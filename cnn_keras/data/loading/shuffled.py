"""Batches of the training images in files, in another random order in each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..preprocessing import Box, ChooseBox, UInt8Images
from ..splits import Labels
from .image_files import PART, FileSplit
from .parallel import in_order
from .share import WHOLE, Share

# Random numbers are those of Philox, whose bits numpy never changes: keys are a training's seed and
# the number of what is random. A sample's number is `epoch * images + index`; those of the epochs'
# orders count down from the largest number.
_LAST_KEY = 2**64 - 1


class Crop(Protocol):
    """A random crop of training images. Worker processes need one that can be pickled."""

    def __call__(self, size: tuple[int, int], random: np.random.Generator) -> Box:
        """Return the part of an image that becomes the input.

        Args:
            size: Width and height of the image.
            random: Random numbers of the image in this epoch.
        """


class Batch(NamedTuple):
    """A batch of training images.

    Attributes:
        images: `(batch, height, width, channels)`.
        labels: Class indices `(batch,)`.
        samples: The number of each image in its epoch, `epoch * images + index`, `(batch,)`.
    """

    images: UInt8Images
    labels: Labels
    samples: NDArray[np.int64]


def shuffled_batches(
    split: FileSplit,
    batch_size: int,
    epochs: int,
    seed: int,
    first_step: int = 0,
    *,
    crop: Crop | None = None,
    workers: int = 0,
    share: Share = WHOLE,
) -> Iterator[Batch]:
    """Yield the batches of all epochs from any step on.

    Args:
        split: The training images.
        batch_size: Images per batch; the last images of an epoch that do not fill one are left out.
        epochs: Number of epochs, counted from epoch 0.
        seed: Seed of the order of each epoch, and of the crops.
        first_step: First batch, counted from the start of the training.
        crop: How images are cropped at random; by default at the center.
        workers: Number of worker processes that decode images; with 0, threads do. They do not
            change the batches.
        share: The images of each batch that this process loads; the others are not decoded.

    Raises:
        Error: A file is broken or no image; the message names it.
    """
    order = _Order(split, batch_size, seed, crop, share)
    steps = epochs * (len(split.paths) // batch_size)
    parts = order.parts_per_batch
    with in_order(order, steps * parts, first_step * parts, workers) as decoded:
        for _ in range(first_step, steps):
            batch = _joined(list(islice(decoded, parts)), split)
            if len(batch.labels) < share.size(batch_size):
                return  # another thread has closed the elements
            yield batch


def _joined(parts: list[tuple[UInt8Images, NDArray[np.int64]]], split: FileSplit) -> Batch:
    """Return a batch of copies: the shared memory of its parts is freed with them."""
    images = [np.empty((0, *split.shape), np.uint8), *(part[0] for part in parts)]
    samples = np.concatenate([np.empty(0, np.int64), *(part[1] for part in parts)])
    return Batch(np.concatenate(images), split.labels[samples % len(split.paths)], samples)


@dataclass(frozen=True)
class _Order:
    """Decodes the images of a training in their order, part by part; see `shuffled_batches`."""

    split: FileSplit
    batch_size: int
    seed: int
    crop: Crop | None
    share: Share

    @property
    def parts_per_batch(self) -> int:
        return -(-self.share.size(self.batch_size) // PART)

    def __call__(self, part: int) -> tuple[UInt8Images, NDArray[np.int64]]:
        """Return some images of a batch, and their samples."""
        count = len(self.split.paths)
        step, place = divmod(part, self.parts_per_batch)
        epoch, step = divmod(step, count // self.batch_size)
        first = step * self.batch_size
        batch = _epoch_order(count, self.seed, epoch)[first : first + self.batch_size]
        indices = batch[self.share.rows(self.batch_size)][PART * place : PART * (place + 1)]
        samples = epoch * count + indices
        found = self.split.decode(indices.tolist(), self._choose_boxes(samples))
        for error in found.broken.values():
            raise error
        return found.images, samples

    def _choose_boxes(self, samples: NDArray[np.int64]) -> list[ChooseBox] | None:
        """Return for each image a function that chooses its box."""
        crop = self.crop
        if crop is None:
            return None

        def choose_box(sample: int) -> ChooseBox:
            random = np.random.Generator(_philox(self.seed, sample))
            return lambda size: crop(size, random)

        return [choose_box(sample) for sample in samples.tolist()]


@lru_cache(maxsize=2)
def _epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of an epoch: a random permutation of the indices `(count,)`."""
    keys = _philox(seed, _LAST_KEY - epoch).random_raw(count)
    return np.argsort(keys, kind="stable")


def _philox(seed: int, number: int) -> np.random.Philox:
    return np.random.Philox(key=np.array([seed, number], np.uint64))
