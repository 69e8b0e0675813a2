"""Random numbers for each image of a batch, which depend on the seed of that image alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import tensorflow as tf

# Each purpose has random numbers of its own, so that one does not change with another.
_PURPOSES = ("erase", "noise", "move", "rand_augment", "lighting")
Purpose = Literal["erase", "noise", "move", "rand_augment", "lighting"]


def sample_seeds(seed: int, samples: tf.Tensor) -> tf.Tensor:
    """Return the seed of each image in an epoch, `(batch, 2)` int64.

    Args:
        seed: Seed of the training.
        samples: `(batch,)` int64 numbers, each of which stands for one image in one epoch.
    """
    import tensorflow as tf

    # Below 0, so that they differ from the seeds of the order of the images.
    return tf.stack([tf.fill(tf.shape(samples), tf.constant(-1 - seed, tf.int64)), samples], 1)


def uniform_numbers(seeds: tf.Tensor, count: int, purpose: Purpose) -> tf.Tensor:
    """Return uniform numbers from 0 to 1 for each image, `(batch, count)` float32.

    Args:
        seeds: `(batch, 2)` integers.
        count: Numbers per image.
        purpose: What they are for.
    """
    import tensorflow as tf

    return _numbers(tf.random.stateless_uniform, seeds, count, purpose)


def normal_numbers(seeds: tf.Tensor, count: int, purpose: Purpose) -> tf.Tensor:
    """Return numbers of the standard normal distribution; see `uniform_numbers`."""
    import tensorflow as tf

    return _numbers(tf.random.stateless_normal, seeds, count, purpose)


def _numbers(
    draw: Callable[[tuple[int], tf.Tensor], tf.Tensor],
    seeds: tf.Tensor,
    count: int,
    purpose: Purpose,
) -> tf.Tensor:
    import tensorflow as tf

    number = _PURPOSES.index(purpose)

    def numbers(seed: tf.Tensor) -> tf.Tensor:
        return draw((count,), tf.random.experimental.stateless_fold_in(seed, number))

    return tf.map_fn(numbers, seeds, fn_output_signature=tf.float32)
