"""A data set of image files in every format and mode, with planted duplicates and broken files."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cnn_keras.data.preprocessing import open_image, upright_opaque

from .broken_files import BROKEN, encode
from .scenes import CLASSES, compose

SPLITS = ("train",) * 8 + ("val", "test")  # of ten images of a class
_FOLDERS = (".", "2024", "2024/03 Ausflug", "camera 2/DCIM/100ÄÖÜ")  # inside of a class folder


class Kind(NamedTuple):
    """A format and mode of image files.

    Attributes:
        suffix: Of the file name.
        format: Pillow's name.
        convert: Makes an image of the mode from an RGB image.
        options: Of Pillow's `save`.
    """

    suffix: str
    format: str
    convert: Callable[[Image.Image], Image.Image]
    options: Mapping[str, Any] = MappingProxyType({})


def _mode(mode: str) -> Callable[[Image.Image], Image.Image]:
    return lambda image: image.convert(mode)


def _alpha(mode: str) -> Callable[[Image.Image], Image.Image]:
    """Add an alpha channel: transparent in the corners."""

    def convert(image: Image.Image) -> Image.Image:
        alpha = Image.radial_gradient("L").resize(image.size).point(lambda value: 255 - value)
        result = image.convert(mode)
        result.putalpha(alpha)
        return result

    return convert


def _sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L"), np.uint16) * 257)


def _floats(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L"), np.float32) / np.float32(255))


def _lab(image: Image.Image) -> Image.Image:
    result = image.convert("LAB")
    del result.info["icc_profile"]  # has the time of the conversion
    return result


def _quantize(image: Image.Image) -> Image.Image:
    return image.quantize(method=Image.Quantize.FASTOCTREE)


def _oriented(orientation: int) -> dict[str, Any]:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return {"exif": exif}


_RGB = _mode("RGB")
_JPEG = Kind(".jpg", "JPEG", _RGB, {"quality": 90})
_FAST = {"compress_level": 1}  # of a PNG: 10 ms for an image
KINDS = (
    *(Kind(".JPG", "JPEG", _RGB, _oriented(orientation)) for orientation in range(2, 9)),
    Kind(".jpeg", "JPEG", _mode("L")),
    Kind(".jpg", "JPEG", _mode("CMYK")),
    Kind(".jfif", "JPEG", _RGB, {"progressive": True}),
    Kind(".png", "PNG", _RGB, _FAST),
    Kind(".PNG", "PNG", _alpha("RGB"), _FAST),
    Kind(".png", "PNG", _mode("L"), _FAST),
    Kind(".png", "PNG", _alpha("L"), _FAST),
    Kind(".png", "PNG", _quantize, _FAST),
    Kind(".png", "PNG", _quantize, {"transparency": 7} | _FAST),
    Kind(".png", "PNG", _mode("1"), _FAST),
    Kind(".png", "PNG", _sixteen_bits, _FAST),
    Kind(".png", "PNG", _RGB, _oriented(6) | _FAST),
    Kind(".webp", "WEBP", _RGB, {"method": 0}),
    Kind(".webp", "WEBP", _alpha("RGB"), {"method": 0}),
    Kind(".webp", "WEBP", _RGB, {"lossless": True, "quality": 0, "method": 0}),
    Kind(".bmp", "BMP", _RGB),
    Kind(".dib", "BMP", _quantize),
    Kind(".bmp", "BMP", _mode("L")),
    Kind(".tif", "TIFF", _RGB, {"compression": "tiff_lzw"}),
    Kind(".tiff", "TIFF", _mode("CMYK")),
    Kind(".tif", "TIFF", _sixteen_bits),
    Kind(".tif", "TIFF", _floats),
    Kind(".tif", "TIFF", _lab),
    Kind(".tiff", "TIFF", _RGB, {"save_all": True, "append_images": [Image.new("RGB", (9, 9))]}),
    Kind(".gif", "GIF", _quantize),
    Kind(
        ".gif", "GIF", _quantize, {"save_all": True, "append_images": [Image.new("P", (440, 350))]}
    ),
    Kind(".ppm", "PPM", _RGB),
    Kind(".jpg", "PNG", _RGB, _FAST),  # the content decides, not the suffix
)


def _half_size(image: Image.Image) -> Image.Image:
    return image.resize((image.width // 2, image.height // 2), Image.Resampling.LANCZOS)


def _enlarged(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 2, image.height * 2), Image.Resampling.BICUBIC)


# Copies of an image, upright and in RGB. The pixels of exact copies are the same.
EXACT_COPIES = (
    Kind(".png", "PNG", _RGB, _FAST),
    Kind(".bmp", "BMP", _RGB),
    Kind(".tif", "TIFF", _RGB, {"compression": "tiff_lzw"}),
    Kind(".webp", "WEBP", _RGB, {"lossless": True, "quality": 0, "method": 0}),
    Kind(".ppm", "PPM", _RGB),
)
NEAR_COPIES = (
    Kind(".jpg", "JPEG", _RGB, {"quality": 70}),
    Kind(".jpg", "JPEG", _half_size),
    Kind(".webp", "WEBP", _RGB, {"quality": 70, "method": 0}),
    Kind(".png", "PNG", _half_size, _FAST),
    Kind(".jpg", "JPEG", _enlarged),
)


class ImageFiles(NamedTuple):
    """A data set of image files; paths are relative to its folder.

    Attributes:
        folder: Has the folders of the splits.
        broken: How each broken file is broken, by path.
        exact: Pairs of an image and its copy in another split, with the same pixels.
        near: Pairs of an image and its copy in another split, compressed or resized.
    """

    folder: Path
    broken: dict[str, str]
    exact: list[tuple[str, str]]
    near: list[tuple[str, str]]


def write(
    folder: Path, count: int, *, broken: int = 50, copies: int = 30, seed: int = 0
) -> ImageFiles:
    """Write a data set of image files in every format and mode, in folders of any depth.

    A tenth of the images is in `val/` and a tenth in `test/`. The same arguments give the same
    files. 5,000 images take less than two minutes on two cores, and 0.9 GB.

    Args:
        folder: A new folder.
        count: Number of all files of images, broken and copied ones among them.
        broken: Number of broken files.
        copies: Number of copies of training images in other splits, exact and near ones in turn.
        seed: Seed of the images.
    """
    originals = list(islice(_names(), count - broken - copies))
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:  # Pillow releases the GIL

        def write_original(index: int) -> str:
            name, random = originals[index], np.random.default_rng((seed, index))
            kind = _kind(index)
            path = _write(
                folder / f"{name}{kind.suffix}", _content(kind, compose(_class(name), random))
            )
            return path.relative_to(folder).as_posix()

        names = list(pool.map(write_original, range(len(originals))))
        sources = [name for name in names if name.startswith("train/")]
        # Odd ones, because every other image is a plain JPEG; see `_kind`.
        chosen = [
            sources[2 * (index * len(sources) // (2 * copies)) + 1] for index in range(copies)
        ]
        copied = list(pool.map(partial(_write_copy, folder), chosen, range(copies)))
        made = dict(pool.map(lambda index: _write_broken(folder, index, seed), range(broken)))
    for place in ("train/china/notes.txt", "val/coffee/.hidden.jpg", "train/flower/Thumbs.db"):
        _write(folder / place, b"not an image")
    pairs = list(zip(chosen, copied, strict=True))
    return ImageFiles(folder, made, pairs[::2], pairs[1::2])


def _names() -> Iterator[str]:
    """Yield names of images, without suffixes, in folders of all splits and classes."""
    index = 0
    while True:
        split = SPLITS[index // len(CLASSES) % len(SPLITS)]
        inner = _FOLDERS[index // 3 % len(_FOLDERS)]
        yield str(PurePosixPath(split, CLASSES[index % len(CLASSES)], inner, f"IMG {index:05}"))
        index += 1


def _class(name: str) -> str:
    return name.split("/")[1]


def _kind(index: int) -> Kind:
    """Return the kind of an image: every other one is a plain JPEG, as in most data sets."""
    return KINDS[index // 2 % len(KINDS)] if index % 2 else _JPEG


def _content(kind: Kind, image: Image.Image) -> bytes:
    return encode(kind.convert(image), kind.format, **kind.options)


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _write_copy(folder: Path, source: str, index: int) -> str:
    """Write an exact copy of an image if `index` is even, else a near one, and return its name."""
    split = ("val", "test")[index // 2 % 2]
    kinds = NEAR_COPIES if index % 2 else EXACT_COPIES
    kind = kinds[index // 2 % len(kinds)]
    name = f"{split}/{_class(source)}/copy {index:02}{kind.suffix}"
    image = upright_opaque(open_image(folder / source)).convert("RGB")
    _write(folder / name, _content(kind, image))
    return name


def _write_broken(folder: Path, index: int, seed: int) -> tuple[str, str]:
    """Write a broken file; return its name and how it is broken."""
    how = list(BROKEN)[index % len(BROKEN)]
    suffix, content = BROKEN[how]
    label = CLASSES[index % len(CLASSES)]
    name = f"{SPLITS[index % len(SPLITS)]}/{label}/broken {index:02}{suffix}"
    image = compose(label, np.random.default_rng((seed, 10**6 + index)))
    _write(folder / name, content(image))
    return name, how
