"""Read all images of a data set once, before a network is trained on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import NamedTuple

from ...command import progress
from ...errors import Error
from ..preprocessing import ChannelSums, Preprocessing, UInt8Images, fit_preprocessing
from .image_files import PART, AnySplit, FileSplit, decode, unreadable
from .parallel import in_order


class FirstPass(NamedTuple):
    """What the first pass over all images finds.

    Attributes:
        preprocessing: Normalizes by the mean and standard deviation of the training images.
        digests: A digest of the pixels of each image by split; those of files are in the network's
            input size.
        broken: Error by path, of the files that are broken.
    """

    preprocessing: Preprocessing
    digests: Mapping[str, list[bytes]]
    broken: Mapping[str, Error]


def first_pass(
    splits: Mapping[str, AnySplit],
    shape: tuple[int, int, int],
    digests: bool,
    skip_broken: bool = False,
) -> FirstPass:
    """Read all images once.

    Args:
        splits: The splits of a data set by name.
        shape: Height, width and channels of the network's input.
        digests: Whether to compute digests of arrays; those of files are always computed.
        skip_broken: Whether to leave out broken files, instead of an error.

    Raises:
        Error: Files are broken or no images; the message names up to 20 of them.
    """
    files = {name: split for name, split in splits.items() if isinstance(split, FileSplit)}
    if files:
        return _read_files(files, skip_broken)
    found = {name: pixel_digests(split.read()) for name, split in splits.items() if digests}
    return FirstPass(fit_preprocessing(splits["train"].read(), shape), found, {})


class _Part(NamedTuple):
    """What is found in some image files."""

    sums: ChannelSums
    digests: list[bytes]
    broken: dict[str, Error]


def _read_files(splits: Mapping[str, FileSplit], skip_broken: bool) -> FirstPass:
    """Read all files of several splits."""
    digests: dict[str, list[bytes]] = {}
    sums: dict[str, ChannelSums] = {}
    broken: dict[str, Error] = {}
    count = sum(len(split.paths) for split in splits.values())
    with progress("read images", count) as advance:
        for name, split in splits.items():
            digests[name] = []

            def measure(index: int, split: FileSplit = split) -> _Part:
                part = decode(split.paths[PART * index : PART * (index + 1)], split.shape)
                found = ChannelSums.of(part.images), pixel_digests(part.images)
                return _Part(*found, part.broken)

            with in_order(measure, -(-len(split.paths) // PART)) as parts:
                for part in parts:
                    sums[name] = sums[name] + part.sums if name in sums else part.sums
                    digests[name] += part.digests
                    broken |= part.broken
                    for _ in range(len(part.digests) + len(part.broken)):
                        advance()
    if broken and not (skip_broken and digests["train"]):
        raise unreadable(broken, count)
    return FirstPass(sums["train"].preprocessing(splits["train"].shape), digests, broken)


def pixel_digests(images: UInt8Images) -> list[bytes]:
    """Return a digest of the pixels of each image `(n, height, width, channels)`."""
    return [hashlib.blake2b(pixels.tobytes(), digest_size=16).digest() for pixels in images]
