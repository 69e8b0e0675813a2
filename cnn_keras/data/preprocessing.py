"""From an image to the input of a network: one frozen value per run, exported with it.

This module needs only numpy and Pillow: training, export, the benchmark and a board share it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ..errors import Error, first_line
from .downloads import require_downloaded

UInt8Images = NDArray[np.uint8]
"""Images of pixels from 0 to 255, `(n, height, width, channels)`."""
Float32Images = NDArray[np.float32]
"""Normalized images, the input of a network, `(n, height, width, channels)`."""
Box = tuple[float, float, float, float]
"""Left, top, right and bottom of a part of an image, in pixels."""
ChooseBox = Callable[[tuple[int, int]], Box]
"""Chooses the part of an image of this width and height."""


MAX_PIXELS = 89_478_485
"""Pixels of the largest image of a data set; 268 MB in RGB. Pillow warns of larger ones."""


def normalization_to(low: float, high: float) -> tuple[float, float]:
    """Return the mean and standard deviation that normalize black to `low` and white to `high`.

    Example:
        >>> normalization_to(-1, 1)
        (127.5, 127.5)
    """
    std = 255 / (high - low)
    return 0.0 - low * std, std


@dataclass(frozen=True)
class Preprocessing:
    """How an image becomes the input of a network.

    The image is rotated by its EXIF orientation, composed with a black background where it is
    transparent, converted to gray or RGB, cropped at the center to the aspect ratio, resized by
    Pillow's antialiased bilinear filter, and normalized: `(pixel - mean) / std`, pixels from 0 to
    255. White is 65535 in integers of more than 8 bits and 1 in floats, even if the brightest pixel
    of the image is darker.

    Attributes:
        height: Height of the input in pixels.
        width: Width of the input in pixels.
        channels: 1 for gray, 3 for RGB.
        mean: Subtracted from each channel, in pixel values.
        std: Divides each channel, in pixel values.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: UInt8Images) -> Float32Images:
        """Normalize `(..., height, width, channels)` uint8 pixels to float32."""
        *leading, width, channels = pixels.shape
        rows = pixels.reshape(*leading, width * channels).astype(np.float32)
        mean, std = self.of_row(width)
        rows -= mean
        rows /= std
        return rows.reshape(pixels.shape)

    def of_row(self, width: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the mean and std of each value in a row of pixels, `(width * channels,)` each.

        With the numbers of a row, NumPy normalizes seven times as fast as with those of a pixel,
        and TensorFlow four times as fast.
        """
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        return np.tile(mean, width), np.tile(std, width)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the input."""
        return self.height, self.width, self.channels

    @property
    def range(self) -> tuple[float, float]:
        """Values of the darkest and the brightest pixel after normalization, over all channels."""
        extremes = self(np.array([[0] * self.channels, [255] * self.channels], np.uint8))
        return float(extremes.min()), float(extremes.max())

    def pixels(self, image: Image.Image, choose_box: ChooseBox | None = None) -> UInt8Images:
        """Return an image as `(height, width, channels)` uint8 pixels, before normalization.

        Args:
            image: The image.
            choose_box: Chooses the part that becomes the input, for the augmentation of training
                images; by default the largest at the center with the aspect ratio of the input.

        Raises:
            ValueError: An image of more than 8 bits has values below black or above white, or NaN.
        """
        image = upright_opaque(image)
        if image.mode != (mode := "L" if self.channels == 1 else "RGB"):
            image = image.convert(mode)
        size = (self.width, self.height)
        if choose_box is None:
            image = ImageOps.fit(image, size, method=Image.Resampling.BILINEAR)
        else:
            image = image.resize(size, Image.Resampling.BILINEAR, choose_box(image.size))
        return np.asarray(image, np.uint8).reshape(self.height, self.width, self.channels)

    def resize(self, pixels: UInt8Images) -> UInt8Images:
        """Return `(n, h, w, c)` images in this size and number of channels."""
        if pixels.shape[1:] == (self.height, self.width, self.channels):
            return pixels
        images = (Image.fromarray(p[..., 0] if p.shape[-1] == 1 else p) for p in pixels)
        return np.stack([self.pixels(image) for image in images])

    def to_dict(self) -> dict[str, Any]:
        """Return the value as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """Return the value that `to_dict` wrote.

        Raises:
            Error: A field is missing or has the wrong type.
        """
        try:
            mean, std = (tuple(float(v) for v in values[key]) for key in ("mean", "std"))
            height, width, channels = (int(values[key]) for key in ("height", "width", "channels"))
            return cls(height, width, channels, mean, std)
        except (KeyError, TypeError, ValueError) as error:
            raise Error(f"The preprocessing cannot be read: {error!r}.") from error

    @classmethod
    def read(cls, path: Path) -> Preprocessing:
        """Read `preprocessing.json`."""
        return cls.from_dict(json.loads(path.read_bytes()))


def upright_opaque(image: Image.Image) -> Image.Image:
    """Return an image by its EXIF orientation, on black where it is transparent, in 8 bits.

    Raises:
        ValueError: An image of more than 8 bits has values below black or above white, or NaN.
    """
    with suppress(SyntaxError, struct.error):  # broken EXIF, which Pillow ignores in JPEG
        if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # otherwise Pillow copies it
            image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I") or image.mode == "F":
        image = _eight_bits(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        black = Image.new("RGBA", image.size, (0, 0, 0, 255))
        image = Image.alpha_composite(black, image)
    if image.mode == "LAB":  # which Pillow converts to RGB only
        image = image.convert("RGB")
    return image


@dataclass
class ChannelSums:
    """Exact integer sums over the pixels of images, from which their normalization follows.

    Attributes:
        count: Number of pixels.
        total: Sum of each channel.
        squares: Sum of the squares of each channel.
    """

    count: int
    total: NDArray[np.int64]
    squares: NDArray[np.int64]

    @classmethod
    def of(cls, images: UInt8Images) -> ChannelSums:
        """Return the sums over images `(n, height, width, channels)`."""
        return cls(
            images[..., 0].size,
            images.sum(axis=(0, 1, 2), dtype=np.int64),
            np.square(images, dtype=np.uint16).sum(axis=(0, 1, 2), dtype=np.int64),
        )

    def __add__(self, other: ChannelSums) -> ChannelSums:
        return ChannelSums(
            self.count + other.count, self.total + other.total, self.squares + other.squares
        )

    def preprocessing(self, shape: tuple[int, int, int]) -> Preprocessing:
        """Return the preprocessing that normalizes by the mean and standard deviation.

        Args:
            shape: Height, width and channels of the network's input.
        """
        mean = self.total / self.count
        # Rounding makes the variance of a constant channel negative.
        std = np.sqrt(np.maximum(self.squares / self.count - mean**2, 0))
        return Preprocessing(
            *shape,
            tuple(round(float(value), 3) for value in mean),
            # A channel may be constant, as in microscopy.
            tuple(round(float(value), 3) or 1.0 for value in std),
        )


def fit_preprocessing(images: UInt8Images, shape: tuple[int, int, int]) -> Preprocessing:
    """Return the preprocessing that normalizes by the mean and standard deviation of the images.

    Args:
        images: The training images `(n, height, width, channels)`.
        shape: Height, width and channels of the network's input.
    """
    height, width, channels = shape
    if images.shape[-1] != channels:
        unnormalized = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
        images = unnormalized.resize(images)
    # All at once would take eight times their memory.
    chunks = (images[start : start + 256] for start in range(0, len(images), 256))
    first, *others = map(ChannelSums.of, chunks)
    return sum(others, start=first).preprocessing(shape)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale an image of 16-bit or 32-bit integers or floats, which Pillow's conversion would clip.

    The mode decides which value is white, not the brightest pixel: scaling by that would brighten
    dark images. Floats are from 0 to 1, as in scikit-image and matplotlib. Pillow reads 16-bit gray
    values of some formats as 32-bit integers.

    Raises:
        ValueError: A value is NaN, infinite, below black or above white.
    """
    white, numbers = (1, "floats") if image.mode == "F" else (65535, "integers of over 8 bits")
    values = np.asarray(image, np.float64)
    if wrong := np.count_nonzero(~np.isfinite(values)):
        raise ValueError(f"{wrong} of its {values.size} pixels are NaN or infinite")
    pixels = np.rint(values * (255 / white))
    if pixels.min() < 0 or pixels.max() > 255:
        raise ValueError(
            f"its values are from {values.min():g} to {values.max():g}, and {numbers} are read as "
            f"0 for black to {white} for white: scale them, or save it with 8 bits"
        )
    return Image.fromarray(pixels.astype(np.uint8))


def open_image(path: Path, max_pixels: int | None = None) -> Image.Image:
    """Open an image and read all of it.

    Args:
        path: The file.
        max_pixels: Refuse images with more pixels than this, before they are decoded; by default
            more than twice Pillow's limit.

    Raises:
        Error: There is no such file, it is no image, truncated, or suspiciously large.
    """
    try:
        with path.open("rb") as file:
            image: Image.Image = Image.open(file)
            if max_pixels is not None and image.width * image.height > max_pixels:
                raise Error(
                    f"{path} has {image.width}×{image.height} pixels, and a data set takes images "
                    f"of at most {max_pixels / 1e6:.0f} megapixels: resize it."
                )
            image.load()
    except Error:
        raise
    except FileNotFoundError as error:
        raise Error(f"No such image: {path}.") from error
    except UnidentifiedImageError as error:
        if kind := phone_format(path):
            raise Error(
                f"{path} is a {kind} image, which Pillow does not read: convert it to JPEG."
            ) from error
        require_downloaded(path)
        raise Error(f"{path} is not an image that Pillow can read.") from error
    except Image.DecompressionBombError as error:
        megapixels = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise Error(
            f"{path} cannot be read as an image: it has more than {megapixels:.0f} megapixels, "
            "which may be an attack on the memory. Resize it."
        ) from error
    except Exception as error:  # Pillow's plugins raise almost anything for a broken file
        raise Error(f"{path} cannot be read as an image: {first_line(error)}.") from error
    return image


def phone_format(path: Path) -> str | None:
    """Return ``"HEIC"`` or ``"AVIF"`` if the content of a file is that, else None.

    Phones save photographs in these formats, and they are often renamed to `.jpg`.
    """
    with path.open("rb") as file:
        head = file.read(64)
    # Such files begin with a box of type "ftyp": its size, its type, and the compatible brands.
    brands = head[8 : int.from_bytes(head[:4])]
    if head[4:8] != b"ftyp":
        return None
    if b"avif" in brands:
        return "AVIF"
    return (
        "HEIC" if any(brand in brands for brand in (b"heic", b"heix", b"heif", b"mif1")) else None
    )
