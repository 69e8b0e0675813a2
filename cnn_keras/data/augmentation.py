"""Augmentation of training images: shifts, rotations, mirroring, erasing, mixup and CutMix."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

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
