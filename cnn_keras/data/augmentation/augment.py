"""Augmentation of training images: all random changes of an image that need no other image."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .erasing import erase
from .geometry import move
from .random_numbers import uniform_numbers

if TYPE_CHECKING:
    import tensorflow as tf


class Augmentation(NamedTuple):
    """How training images are changed at random.

    Attributes:
        shift: Largest shift, as a fraction of the image's width and height.
        rotation: Largest rotation, in degrees.
        flip: Whether half of the images are mirrored.
        random_erasing: Probability that a rectangle of an image is erased, see `erase`.
    """

    shift: float = 0.0
    rotation: float = 0.0
    flip: bool = False
    random_erasing: float = 0.0


def augment(images: tf.Tensor, augmentation: Augmentation, seeds: tf.Tensor) -> tf.Tensor:
    """Change each image at random.

    Args:
        images: `(batch, height, width, channels)` float32, pixels from 0 to 255.
        augmentation: How images are changed.
        seeds: `(batch, 2)` integers; the changes of an image depend on its seed alone.
    """
    shift, rotation, flip, random_erasing = augmentation
    if shift or rotation or flip:
        images = move(images, shift, rotation, flip, uniform_numbers(seeds, 4, "move"))
    if random_erasing:
        images = erase(images, random_erasing, seeds)
    return images
