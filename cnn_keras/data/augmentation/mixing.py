"""Mixup and CutMix: each image is mixed with another of its batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .rectangles import Rectangles

if TYPE_CHECKING:
    import tensorflow as tf


class Mixing(NamedTuple):
    """How each training image is mixed with another; if both are given, by either at random.

    Attributes:
        mixup: Alpha of the Beta distribution of an image's share in mixup; 0 for none.
        cutmix: Alpha of the Beta distribution of an image's share in CutMix; 0 for none.
    """

    mixup: float = 0.0
    cutmix: float = 0.0


def mix(images: tf.Tensor, targets: Any, mixing: Mixing, seed: tf.Tensor) -> tuple[tf.Tensor, Any]:
    """Mix each image with another of its batch, and its targets in the same shares.

    Args:
        images: `(batch, height, width, channels)` float32.
        targets: Nested float32 tensors `(batch, ...)`, such as label probabilities.
        mixing: At least one of its values is above 0.
        seed: Two integers; the same seed mixes the same images.

    References:
        Zhang et al., "mixup: Beyond empirical risk minimization", arXiv:1710.09412, section 2.
        Yun et al., "CutMix", arXiv:1905.04899, section 3.
    """
    import tensorflow as tf

    count, height, width = images.shape[0], images.shape[1], images.shape[2]
    seeds = tf.random.experimental.stateless_split(seed, 4)
    partners = tf.random.experimental.stateless_shuffle(tf.range(count), seeds[0])
    u_x, u_y, u_method = tf.unstack(tf.random.stateless_uniform((3, count), seeds[1]))
    other = tf.gather(images, partners)
    mixed, shares = images, tf.ones(count)
    if mixing.mixup:
        shares = beta_numbers(mixing.mixup, count, seeds[2])
        mixed = blend(images, other, shares)
    if mixing.cutmix:
        area = beta_numbers(mixing.cutmix, count, seeds[3])
        rectangles = pasted_rectangles(area, u_x, u_y, height, width)
        cut = u_method < 0.5 if mixing.mixup else tf.ones(count, tf.bool)
        inside = rectangles.mask(height, width)
        pasted = tf.where(inside, other, images)
        mixed = tf.where(cut[:, tf.newaxis, tf.newaxis, tf.newaxis], pasted, mixed)
        kept = 1 - tf.reduce_mean(tf.cast(inside, tf.float32), axis=(1, 2, 3))
        shares = tf.where(cut, kept, shares)
    return mixed, tf.nest.map_structure(
        lambda values: blend(values, tf.gather(values, partners), shares), targets
    )


def blend(values: tf.Tensor, other: tf.Tensor, shares: tf.Tensor) -> tf.Tensor:
    """Return `shares * values + (1 - shares) * other`, with a share `(batch,)` for each row."""
    import tensorflow as tf

    shares = tf.reshape(shares, (-1, *[1] * (len(values.shape) - 1)))
    return shares * values + (1 - shares) * other


def beta_numbers(alpha: float, count: int, seed: tf.Tensor) -> tf.Tensor:
    """Return random numbers `(count,)` float32 of the distribution Beta(alpha, alpha)."""
    import tensorflow as tf

    # In float32, both would often be 0 for an alpha of 0.1.
    first, second = tf.unstack(
        tf.random.stateless_gamma(
            (2, count), seed, tf.constant(alpha, tf.float64), dtype=tf.float64
        )
    )
    return tf.cast(first / (first + second), tf.float32)


def pasted_rectangles(
    shares: tf.Tensor, u_x: tf.Tensor, u_y: tf.Tensor, height: int, width: int
) -> Rectangles:
    """Return the rectangle of each image that CutMix takes from another image.

    Args:
        shares: Share of the image that is kept, `(batch,)`. More is kept where the rectangle
            reaches over the border.
        u_x: Center of the rectangle, `(batch,)`, from 0 at the left border to 1 at the right one.
        u_y: The same, from the top to the bottom.
        height: Height of the images.
        width: Width of the images.

    Reference:
        Algorithm A1 of arXiv:1905.04899.
    """
    import tensorflow as tf

    side = tf.sqrt(1 - shares)

    def edges(centers: tf.Tensor, size: int) -> tuple[tf.Tensor, tf.Tensor]:
        start, end = (size * tf.clip_by_value(centers + sign * side / 2, 0, 1) for sign in (-1, 1))
        return tf.cast(tf.round(start), tf.int32), tf.cast(tf.round(end), tf.int32)

    return Rectangles(*edges(u_y, height), *edges(u_x, width))
