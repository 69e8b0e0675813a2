"""Augmentation of training images: random shifts, rotations and mirroring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import tensorflow as tf


class Augmentation(NamedTuple):
    """How training images are changed at random.

    Attributes:
        shift: Largest shift, as a fraction of the image's width and height.
        rotation: Largest rotation, in degrees.
        flip: Whether half of the images are mirrored.
    """

    shift: float = 0.0
    rotation: float = 0.0
    flip: bool = False


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Shift, rotate and mirror each image at random; the border is filled with black.

    Args:
        images: `(batch, height, width, channels)` float32.
        augmentation: How images are changed.
        seed: Two integers; the same seed gives the same changes.
    """
    import tensorflow as tf

    shift, rotation, flip = augmentation
    if not (shift or rotation or flip):
        return images
    count, height, width = images.shape[0], images.shape[1], images.shape[2]
    u = tf.random.stateless_uniform((4, count), seed)
    dx, dy = (
        tf.floor(u[axis] * (2 * reach + 1)) - reach
        for axis, reach in enumerate((round(shift * width), round(shift * height)))
    )
    angle = (u[2] * 2 - 1) * math.radians(rotation)
    mirror = tf.where(u[3] < 0.5, -1.0, 1.0) if flip else tf.ones(count)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    # Affine map, about the center, from an output pixel to the input pixel that it copies.
    a, b, d, e = mirror * cosine, -mirror * sine, sine, cosine
    maps = tf.stack(
        [a, b, cx - a * cx - b * cy + dx, d, e, cy - d * cx - e * cy + dy, 0 * a, 0 * a], axis=1
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=maps,
        output_shape=tf.constant([height, width]),
        interpolation="BILINEAR" if rotation else "NEAREST",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )
