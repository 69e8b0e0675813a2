"""Augmentation of training images: random shifts, rotations, mirroring and erasing."""

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
        random_erasing: Probability that a rectangle of an image is erased, see `erase`.
    """

    shift: float = 0.0
    rotation: float = 0.0
    flip: bool = False
    random_erasing: float = 0.0


# Zhong et al., arXiv:1708.04896, for the classification of images: range of the rectangle's area,
# as a fraction of the image's, and of its aspect ratio.
ERASED_AREA = (0.02, 0.4)
ERASED_RATIO = (0.3, 1 / 0.3)

# 27 % of random rectangles lie within the image. Of 48, none does for one image in three million,
# which is then kept.
ERASING_ATTEMPTS = 48


def augment(images: tf.Tensor, augmentation: Augmentation, seed: tf.Tensor) -> tf.Tensor:
    """Shift, rotate and mirror each image at random; the border is filled with black.

    The random numbers depend on an image's place in its batch.

    Args:
        images: `(batch, height, width, channels)` float32.
        augmentation: How images are changed.
        seed: Two integers; the same seed gives the same changes.
    """
    import tensorflow as tf

    shift, rotation, flip, _ = augmentation
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


class Rectangles(NamedTuple):
    """Rectangles of pixels, one for each image: `(batch,)` int32 each, the ends not included."""

    top: tf.Tensor
    bottom: tf.Tensor
    left: tf.Tensor
    right: tf.Tensor

    def mask(self, height: int, width: int) -> tf.Tensor:
        """Return which pixels are inside, `(batch, height, width, 1)` bool."""
        import tensorflow as tf

        top, bottom, left, right = (edges[:, tf.newaxis, tf.newaxis, tf.newaxis] for edges in self)
        rows, columns = tf.range(height)[:, tf.newaxis, tf.newaxis], tf.range(width)[:, tf.newaxis]
        return (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)


def erase(images: tf.Tensor, probability: float, seeds: tf.Tensor) -> tf.Tensor:
    """Fill a random rectangle of some images with random values from 0 to 255.

    Args:
        images: `(batch, height, width, channels)` float32.
        probability: Probability that an image is changed.
        seeds: `(batch, 2)` integers; the change of an image depends on its seed alone.

    Reference:
        Zhong et al., "Random erasing data augmentation", arXiv:1708.04896, algorithm 1.
    """
    import tensorflow as tf

    height, width = images.shape[1], images.shape[2]

    def random_numbers(seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        numbers = tf.random.stateless_uniform((1 + 4 * ERASING_ATTEMPTS,), seed)
        noise_seed = tf.random.experimental.stateless_fold_in(seed, 1)
        return numbers, tf.random.stateless_uniform(images.shape[1:], noise_seed, maxval=255.0)

    numbers, noise = tf.map_fn(random_numbers, seeds, fn_output_signature=(tf.float32, tf.float32))
    mask = erased_rectangles(numbers, probability, height, width).mask(height, width)
    return tf.where(mask, noise, images)


def erased_rectangles(
    numbers: tf.Tensor, probability: float, height: int, width: int
) -> Rectangles:
    """Return the rectangle that is erased of each image; it is empty if the image is kept.

    Args:
        numbers: `(batch, 1 + 4 * attempts)` uniform numbers from 0 to 1: the first decides whether
            the image is changed, and the others are area, aspect ratio, left and top edge of
            rectangles, of which the first that lies within the image is taken.
        probability: Probability that an image is changed.
        height: Height of the images.
        width: Width of the images.
    """
    import tensorflow as tf

    attempts = tf.reshape(numbers[:, 1:], (tf.shape(numbers)[0], -1, 4))
    u_area, u_ratio, u_left, u_top = tf.unstack(attempts, axis=2)
    (min_area, max_area), (min_ratio, max_ratio) = ERASED_AREA, ERASED_RATIO
    area = height * width * (min_area + u_area * (max_area - min_area))
    ratio = min_ratio + u_ratio * (max_ratio - min_ratio)
    top, left = u_top * height, u_left * width
    bottom, right = top + tf.sqrt(area * ratio), left + tf.sqrt(area / ratio)
    fits = (bottom <= height) & (right <= width)
    first = tf.argmax(tf.cast(fits, tf.int32), axis=1)
    erased = (numbers[:, 0] < probability) & tf.reduce_any(fits, axis=1)

    def chosen(edges: tf.Tensor) -> tf.Tensor:
        edge = tf.gather(tf.cast(tf.round(edges), tf.int32), first, axis=1, batch_dims=1)
        return tf.where(erased, edge, 0)

    return Rectangles(chosen(top), chosen(bottom), chosen(left), chosen(right))
