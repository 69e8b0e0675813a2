"""Random erasing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .random_numbers import uniform_numbers
from .rectangles import Rectangles

if TYPE_CHECKING:
    import tensorflow as tf


# Zhong et al., arXiv:1708.04896, for the classification of images: range of the rectangle's area,
# as a fraction of the image's, and of its aspect ratio.
ERASED_AREA = (0.02, 0.4)
ERASED_RATIO = (0.3, 1 / 0.3)

# 27 % of random rectangles lie within the image. Of 48, none does for one image in three million,
# which is then kept.
ERASING_ATTEMPTS = 48


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

    _, height, width, channels = images.shape
    numbers = uniform_numbers(seeds, 1 + 4 * ERASING_ATTEMPTS, "erase")
    noise = 255 * uniform_numbers(seeds, height * width * channels, "noise")
    mask = erased_rectangles(numbers, probability, height, width).mask(height, width)
    return tf.where(mask, tf.reshape(noise, (-1, height, width, channels)), images)


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
