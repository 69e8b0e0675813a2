"""Crops of image files: the random ones of training, and those that an evaluation averages.

A crop is a box in the original image, which Pillow's `resize(size, BILINEAR, box=box)` reads. For a
box that begins at a whole pixel of the rescaled image, this equals rescaling the whole image and
cutting the crop out of it.

The papers' lengths are for an input of 224 pixels. Another input has lengths of the same ratio to
it: 32 pixels for the 256 of the papers, if the input has 28.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np

from ..preprocessing import Box

PAPERS_SIDE = 224  # pixels, of the input in all papers below

Size = tuple[int, int]
"""Width and height, as in Pillow."""


class RescaledCrop(NamedTuple):
    """A crop of the input's size from an image whose shorter side is rescaled to a random length.

    Attributes:
        shortest: Smallest length of the shorter side, for an input of 224.
        longest: Largest length of the shorter side, for an input of 224.
        central: Whether the crop is from the central square of the rescaled image.
    """

    shortest: int
    longest: int
    central: bool = False

    def box(self, numbers: Sequence[float], image: Size, size: Size) -> Box:
        """Return the crop for random numbers.

        Args:
            numbers: Uniform numbers from 0 to below 1: length of the shorter side, left and top.
            image: Size of the original image.
            size: Size of the input.
        """
        side = min(size)
        low, high = (round(length * side / PAPERS_SIDE) for length in self[:2])
        ratio = (low + math.floor(numbers[0] * (high - low + 1))) / side
        scale = max(ratio * new / old for new, old in zip(size, image, strict=True))
        edges = []
        for u, old, new in zip(numbers[1:3], image, size, strict=True):
            # In pixels of the rescaled image, of which the crop begins at a whole one. Rounded,
            # because 3 * (256 / 3) may be less than 256.
            available = ratio * new if self.central else scale * old
            start = max(scale * old - available, 0.0) / 2
            start += math.floor(u * (math.floor(round(available - new, 6)) + 1))
            edges.append((start / scale, min((start + new) / scale, old)))
        (left, right), (top, bottom) = edges
        return left, top, right, bottom


class AreaCrop(NamedTuple):
    """A crop of a random part of the image's area, with a random aspect ratio.

    Attributes:
        area: Smallest and largest area, as a fraction of the image's.
        ratio: Smallest and largest width divided by height. Its logarithm is distributed evenly,
            so that a ratio is as likely as its reciprocal.
    """

    area: tuple[float, float]
    ratio: tuple[float, float]

    def box(self, numbers: Sequence[float], image: Size, size: Size) -> Box:
        """Return the crop for random numbers.

        Args:
            numbers: Uniform numbers from 0 to 1, four for each attempt: area, ratio, left and top.
                The first crop that lies within the image is taken. If none does, it is the largest
                central one with a permitted ratio.
            image: Size of the original image.
            size: Size of the input. The ratio is relative to that of the input.
        """
        width, height = image
        input_ratio = size[0] / size[1]
        low, high = self.ratio
        for u_area, u_ratio, u_left, u_top in np.reshape(numbers, (-1, 4)).tolist():
            area = width * height * (self.area[0] + u_area * (self.area[1] - self.area[0]))
            ratio = input_ratio * low * (high / low) ** u_ratio
            w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if w <= width and h <= height:
                left, top = u_left * (width - w), u_top * (height - h)
                return left, top, min(left + w, width), min(top + h, height)
        ratio = input_ratio * min(max(width / height / input_ratio, low), high)
        return _central(image, min(width, height * ratio), min(height, width / ratio))


CropName = Literal["alexnet", "vgg", "vgg_256", "vgg_384", "inception", "resnet"]

CROPS: dict[CropName, RescaledCrop | AreaCrop] = {
    # Krizhevsky et al. 2012, sections 2 and 4.1: the shorter side is rescaled to 256, and 224
    # pixels are cut out of the central 256×256.
    "alexnet": RescaledCrop(256, 256, central=True),
    # Simonyan and Zisserman, arXiv:1409.1556, section 3.1: from 256 to 512 pixels, or one of two
    # fixed lengths.
    "vgg": RescaledCrop(256, 512),
    "vgg_256": RescaledCrop(256, 256),
    "vgg_384": RescaledCrop(384, 384),
    # Szegedy et al., arXiv:1409.4842, section 6.
    "inception": AreaCrop((0.08, 1.0), (3 / 4, 4 / 3)),
    # He et al., arXiv:1512.03385, section 3.4.
    "resnet": RescaledCrop(256, 480),
}
"""The crops of training by name."""

# Three for the length and place of a crop, or four for each of ten attempts, as torchvision's
# `RandomResizedCrop` makes: 35 % of the crops of a 3:2 image do not lie within it.
_NUMBERS = 40


class RandomCrop(NamedTuple):
    """Crops training images at random.

    Attributes:
        name: Key of `CROPS`.
        size: Size of the input.
    """

    name: CropName
    size: Size

    def __call__(self, size: Size, random: np.random.Generator) -> Box:
        """Return the part of an image that becomes the input.

        Args:
            size: Size of the original image.
            random: Random numbers of the image in this epoch.
        """
        return CROPS[self.name].box(random.random(_NUMBERS).tolist(), size, self.size)


def evaluation_boxes(image: Size, size: Size) -> tuple[Box, ...]:
    """Return the center and the corners that AlexNet's evaluation averages.

    They are cut out of the central square of 256 pixels, for an input of 224, of the image whose
    shorter side is rescaled to 256.

    Args:
        image: Size of the original image.
        size: Size of the input.

    Returns:
        The central crop, then those of the corners: top left, top right, bottom left, bottom right.

    Reference:
        Krizhevsky et al. 2012, section 4.1.
    """
    ratio = round(256 * min(size) / PAPERS_SIDE) / min(size)
    scale = max(ratio * new / old for new, old in zip(size, image, strict=True))
    width, height = (new / scale for new in size)
    left, top, right, bottom = _central(image, ratio * width, ratio * height)
    return (
        _central(image, width, height),
        (left, top, left + width, top + height),
        (right - width, top, right, top + height),
        (left, bottom - height, left + width, bottom),
        (right - width, bottom - height, right, bottom),
    )


def _central(image: Size, width: float, height: float) -> Box:
    """Return the central box of a size that is at most the image's, but for rounding."""
    left, top = (max((old - new) / 2, 0.0) for old, new in zip(image, (width, height), strict=True))
    return left, top, image[0] - left, image[1] - top
