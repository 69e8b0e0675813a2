"""Read all images of a data set once, before a network is trained on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...command import progress
from ...errors import Error
from ..preprocessing import ChannelSums, Preprocessing, UInt8Images, fit_preprocessing
from .decoded_cache import DecodedCache, cache_file, new_cache
from .image_files import AnySplit, FileSplit, in_parts, unreadable


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
    cache: Path | None = None,
) -> FirstPass:
    """Read all images once.

    Args:
        splits: The splits of a data set by name.
        shape: Height, width and channels of the network's input.
        digests: Whether to compute digests of arrays; those of files are always computed.
        skip_broken: Whether to leave out broken files, instead of an error.
        cache: Folder to which decoded files are written, see `with_cache`.

    Raises:
        Error: Files are broken or no images; the message names up to 20 of them.
    """
    files = {name: split for name, split in splits.items() if isinstance(split, FileSplit)}
    if files:
        return _read_files(files, skip_broken, cache)
    found = {name: pixel_digests(split.read()) for name, split in splits.items() if digests}
    return FirstPass(fit_preprocessing(splits["train"].read(), shape), found, {})


class _Part(NamedTuple):
    """What is found in some image files."""

    images: UInt8Images | None
    sums: ChannelSums
    digests: list[bytes]
    broken: dict[str, Error]


def _read_files(
    splits: Mapping[str, FileSplit], skip_broken: bool, cache: Path | None
) -> FirstPass:
    """Read all files of several splits."""
    digests: dict[str, list[bytes]] = {}
    sums: dict[str, ChannelSums] = {}
    broken: dict[str, Error] = {}
    count = sum(len(split.paths) for split in splits.values())
    is_cached = splits["train"].cache is not None
    with ExitStack() as stack:
        advance = stack.enter_context(progress("read images", count))
        writer = stack.enter_context(new_cache(cache)) if cache and not is_cached else None
        for name, split in splits.items():
            digests[name] = []

            def measure(indices: range, split: FileSplit = split) -> _Part:
                part = split.decode(indices)
                found = ChannelSums.of(part.images), pixel_digests(part.images), part.broken
                return _Part(part.images if writer else None, *found)

            for part in in_parts(measure, len(split.paths)):
                sums[name] = sums[name] + part.sums if name in sums else part.sums
                digests[name] += part.digests
                broken |= part.broken
                if writer and part.images is not None:
                    writer.write(part.images)
                for _ in range(len(part.digests) + len(part.broken)):
                    advance()
        if broken and not (skip_broken and digests["train"]):
            raise unreadable(broken, count)
        if writer and cache:
            paths = [path for split in splits.values() for path in split.paths]
            readable = [path for path in paths if path not in broken]
            writer.publish(cache_file(cache, readable, splits["train"].shape))
    return FirstPass(sums["train"].preprocessing(splits["train"].shape), digests, broken)


def with_cache(splits: Mapping[str, AnySplit], folder: Path) -> dict[str, AnySplit]:
    """Return splits whose image files are read from a cache, if the first pass has written it.

    Args:
        splits: The splits of a data set by name.
        folder: Folder of the caches.
    """
    files = [split for split in splits.values() if isinstance(split, FileSplit)]
    if not files:
        return dict(splits)
    file = cache_file(folder, [path for split in files for path in split.paths], files[0].shape)
    if not file.is_file():
        return dict(splits)
    ends = np.cumsum([len(split.paths) for split in files])
    rows = np.split(np.arange(ends[-1]), ends[:-1])
    cached = [
        split._replace(cache=DecodedCache(str(file), places))
        for split, places in zip(files, rows, strict=True)
    ]
    return dict(zip(splits, cached, strict=True))


def pixel_digests(images: UInt8Images) -> list[bytes]:
    """Return a digest of the pixels of each image `(n, height, width, channels)`."""
    return [hashlib.blake2b(pixels.tobytes(), digest_size=16).digest() for pixels in images]
