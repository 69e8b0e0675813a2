"""Random shifts, rotations and mirroring."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tensorflow as tf


def move(
    images: tf.Tensor, shift: float, rotation: float, flip: bool, numbers: tf.Tensor
) -> tf.Tensor:
    """Shift, rotate and mirror each image; the border is filled with black.

    Args:
        images: `(batch, height, width, channels)` float32.
        shift: Largest shift, as a fraction of the image's width and height.
        rotation: Largest rotation, in degrees.
        flip: Whether images are mirrored.
        numbers: `(batch, 4)` uniform numbers from 0 to 1: horizontal shift, vertical shift,
            rotation, and whether the image is mirrored, which it is below a half.
    """
    import tensorflow as tf

    height, width = images.shape[1], images.shape[2]
    u_x, u_y, u_angle, u_mirror = tf.unstack(numbers, axis=1)
    dx, dy = (
        tf.floor(u * (2 * reach + 1)) - reach
        for u, reach in ((u_x, round(shift * width)), (u_y, round(shift * height)))
    )
    angle = (u_angle * 2 - 1) * math.radians(rotation)
    mirror = tf.where(u_mirror < 0.5, -1.0, 1.0) if flip else tf.ones_like(u_mirror)
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
