"""From pixels to the tensor that a network sees: one frozen value per run, shipped with it.

Only numpy and Pillow, so that training, export, the benchmark and a board share the same lines.
"""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ..downloads import require_downloaded
from ..errors import Error, first_line

Pixels = NDArray[np.uint8]
Images = NDArray[np.float32]


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes a tensor.

    The picture is turned upright by its EXIF tag, laid on black where it is transparent, made gray
    or RGB, cropped at the center to the aspect ratio, resized by Pillow's antialiased bilinear
    filter, and normalized: `(pixel - mean) / std`, pixels from 0 to 255. White is 65535 in integers
    of more than 8 bits, and 1 in floats, whatever the picture's brightest pixel is.

    Attributes:
        height: Rows of the tensor.
        width: Columns of the tensor.
        channels: 1 for gray, 3 for RGB.
        mean: Subtracted from each channel, in pixel values.
        std: Divides each channel, in pixel values.
    """

    height: int
    width: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, pixels: Pixels) -> Images:
        """Normalize `(..., height, width, channels)` uint8 pixels to float32."""
        mean, std = (np.array(values, np.float32) for values in (self.mean, self.std))
        return ((pixels.astype(np.float32) - mean) / std).astype(np.float32)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the tensor."""
        return self.height, self.width, self.channels

    @property
    def range(self) -> tuple[float, float]:
        """What the darkest and the brightest pixel become, over all channels."""
        ends = self(np.array([[0] * self.channels, [255] * self.channels], np.uint8))
        return float(ends.min()), float(ends.max())

    def pixels(self, image: Image.Image) -> Pixels:
        """Return a picture as `(height, width, channels)` uint8 pixels, as the network sees it.

        Raises:
            ValueError: A picture of more than 8 bits has values below black or above white, or NaN.
        """
        with suppress(SyntaxError, struct.error):  # broken EXIF, which Pillow passes over in JPEG
            image = ImageOps.exif_transpose(image)
        if image.mode.startswith("I") or image.mode == "F":
            image = _eight_bits(image)
        if image.has_transparency_data:
            image = image.convert("RGBA")
            black = Image.new("RGBA", image.size, (0, 0, 0, 255))
            image = Image.alpha_composite(black, image)
        if image.mode == "LAB":  # which Pillow converts to RGB alone
            image = image.convert("RGB")
        image = image.convert("L" if self.channels == 1 else "RGB")
        size = (self.width, self.height)
        image = ImageOps.fit(image, size, method=Image.Resampling.BILINEAR)
        return np.asarray(image, np.uint8).reshape(self.height, self.width, self.channels)

    def resize(self, pixels: Pixels) -> Pixels:
        """Return `(n, h, w, c)` data set images in this size and number of channels."""
        if pixels.shape[1:] == (self.height, self.width, self.channels):
            return pixels
        pictures = (Image.fromarray(p[..., 0] if p.shape[-1] == 1 else p) for p in pixels)
        return np.stack([self.pixels(picture) for picture in pictures])

    def to_dict(self) -> dict[str, Any]:
        """Return the value as JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Preprocessing:
        """Return the value that `to_dict` wrote.

        Raises:
            Error: A field is missing, unknown or of the wrong kind.
        """
        try:
            mean, std = (tuple(float(v) for v in values[key]) for key in ("mean", "std"))
            height, width, channels = (int(values[key]) for key in ("height", "width", "channels"))
            return cls(height, width, channels, mean, std)
        except (KeyError, TypeError, ValueError) as error:
            raise Error(f"Preprocessing is not readable: {error!r}.") from error

    @classmethod
    def read(cls, path: Path) -> Preprocessing:
        """Read `preprocessing.json`."""
        return cls.from_dict(json.loads(path.read_bytes()))


def _eight_bits(image: Image.Image) -> Image.Image:
    """Scale a picture of 16-bit or 32-bit integers or of floats; Pillow's own conversion clips it.

    The mode says what white is, never the picture: one with a dark maximum would come out bright.
    Floats are 0 to 1, as in scikit-image and matplotlib. Pillow reads gray values of 16 bits as
    32-bit integers from some formats.

    Raises:
        ValueError: A value is NaN, infinite or not from black to white.
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


def open_image(path: Path) -> Image.Image:
    """Open a picture and read all of it.

    Raises:
        Error: No such file, not a picture, a truncated one, or one too large to be honest.
    """
    try:
        with path.open("rb") as file:
            image: Image.Image = Image.open(file)
            image.load()
    except FileNotFoundError as error:
        raise Error(f"No such image: {path}.") from error
    except UnidentifiedImageError as error:
        if kind := photograph_kind(path):
            raise Error(
                f"{path} is a photograph in {kind}, which Pillow does not read, whatever its name "
                "is: convert it to JPEG."
            ) from error
        require_downloaded(path)
        raise Error(f"{path} is not an image that Pillow can read.") from error
    except Image.DecompressionBombError as error:
        megapixels = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise Error(
            f"{path} cannot be read as an image: it has more than {megapixels:.0f} megapixels, "
            "which may be meant to fill the memory. Make it smaller."
        ) from error
    except Exception as error:  # Pillow's plugins raise almost anything where a file is broken
        raise Error(f"{path} cannot be read as an image: {first_line(error)}.") from error
    return image


def photograph_kind(path: Path) -> str | None:
    """Return whether a file is ``"HEIC"`` or ``"AVIF"`` by its content; None if it is neither.

    Phones write photographs so, and they are often renamed to `.jpg`.
    """
    with path.open("rb") as file:
        head = file.read(64)
    # A box of type "ftyp" begins such files: its size, its type, and the brands that they follow.
    brands = head[8 : int.from_bytes(head[:4])]
    if head[4:8] != b"ftyp":
        return None
    if b"avif" in brands:
        return "AVIF"
    return (
        "HEIC" if any(brand in brands for brand in (b"heic", b"heix", b"heif", b"mif1")) else None
    )
