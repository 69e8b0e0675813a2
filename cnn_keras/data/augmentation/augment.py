"""Augmentation of training images: all random changes of an image that need no other image."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from .crops import RandomCrop
from .erasing import erase
from .geometry import move
from .lighting import Lighting, light
from .rand_augment import all_operations, rand_augment
from .random_numbers import normal_numbers, uniform_numbers

if TYPE_CHECKING:
    import tensorflow as tf


class Augmentation(NamedTuple):
    """How training images are changed at random.

    Attributes:
        shift: Largest shift, as a fraction of the image's width and height.
        rotation: Largest rotation, in degrees.
        flip: Whether half of the images are mirrored.
        random_erasing: Probability that a rectangle of an image is erased, see `erase`.
        lighting: How colors are changed, see `light`; None for no change.
        rand_augment: Magnitude of RandAugment, from 0 to 1; 0 for none.
        rand_augment_operations: Its operations for each image.
        crop: How image files are cropped when they are decoded; None for the center.
    """

    shift: float = 0.0
    rotation: float = 0.0
    flip: bool = False
    random_erasing: float = 0.0
    lighting: Lighting | None = None
    rand_augment: float = 0.0
    rand_augment_operations: int = 2
    crop: RandomCrop | None = None


def augmenter(
    augmentation: Augmentation, shape: tuple[int, int, int]
) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Return a function that changes each image of a batch at random, for the graph of a pipeline.

    Args:
        augmentation: How images are changed: they are moved, then their colors are changed, and
            then a rectangle is erased. Image files are cropped before.
        shape: Height, width and channels of the images.

    Returns:
        Takes images `(batch, height, width, channels)` float32 of pixels from 0 to 255 and seeds
        `(batch, 2)`, two integers for each image, on which alone its changes depend.
    """
    shift, rotation, flip, random_erasing, lighting, magnitude, num_operations, _ = augmentation
    operations = list(all_operations(*shape).values()) if magnitude else []

    def augment(images: tf.Tensor, seeds: tf.Tensor) -> tf.Tensor:
        if shift or rotation or flip:
            images = move(images, shift, rotation, flip, uniform_numbers(seeds, 4, "move"))
        if magnitude:
            numbers = uniform_numbers(seeds, 2 * num_operations, "rand_augment")
            images = rand_augment(images, operations, magnitude, numbers)
        if lighting is not None:
            images = light(images, lighting, normal_numbers(seeds, shape[2], "lighting"))
        if random_erasing:
            images = erase(images, random_erasing, seeds)
        return images

    return augment
