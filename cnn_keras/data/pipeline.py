"""Batches of a split as `tf.data` pipelines, for training and for evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from .augmentation import Augmentation, Mixing, augment, erase, mix
from .preprocessing import Preprocessing
from .splits import Split

if TYPE_CHECKING:
    import tensorflow as tf


def training_batches(
    split: Split,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return the batches of all epochs from `first_epoch` on, shuffled and augmented.

    Args:
        split: Images in the network's input size.
        preprocessing: Its normalization follows the augmentation.
        augmentation: How images are changed at random.
        batch_size: Images per batch; the last images of an epoch that do not fill one are left out.
        epochs: Number of epochs, counted from epoch 0.
        seed: Together with an epoch's number it determines everything in that epoch.
        first_epoch: Epoch at which a training resumes.

    Returns:
        Batches of images `(batch, height, width, channels)` float32 and labels `(batch,)`.
    """
    import tensorflow as tf

    images, labels = tf.constant(split.images), tf.constant(split.labels)
    steps = len(split.labels) // batch_size
    normalize = _normalization(preprocessing)

    def image_seeds(epoch: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
        numbers = epoch * len(split.labels) + tf.cast(indices, tf.int64)
        # Below 0, so that they differ from the seeds of the order and of `augment`.
        return tf.stack([tf.fill(tf.shape(numbers), tf.constant(-1 - seed, tf.int64)), numbers], 1)

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(split.labels)), seed=tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        indices = tf.data.Dataset.from_tensor_slices(order[: steps * batch_size])
        indices = indices.batch(batch_size, drop_remainder=True).enumerate()

        def batch(step: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            step_seed = tf.stack([tf.cast(seed, tf.int64), epoch * steps + step])
            pixels = tf.cast(tf.gather(images, chosen), tf.float32)
            pixels = augment(pixels, augmentation, step_seed)
            if augmentation.random_erasing:
                pixels = erase(pixels, augmentation.random_erasing, image_seeds(epoch, chosen))
            return normalize(pixels), tf.gather(labels, chosen)

        return indices.map(batch, num_parallel_calls=2, deterministic=True)

    return tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_batches).prefetch(4)


def evaluation_batches(split: Split, preprocessing: Preprocessing) -> tf.data.Dataset:
    """Return the batches of a split in order, normalized.

    Args:
        split: Images in the network's input size.
        preprocessing: The normalization.

    Returns:
        Batches of images `(batch, height, width, channels)` float32 and labels `(batch,)`.
    """
    import tensorflow as tf

    normalize = _normalization(preprocessing)
    rows = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
    rows = rows.batch(inference_batch_size(preprocessing))
    return rows.map(lambda x, y: (normalize(tf.cast(x, tf.float32)), y)).prefetch(1)


def label_probabilities(
    batches: tf.data.Dataset, num_classes: int, smoothing: float = 0.0
) -> tf.data.Dataset:
    """Return batches with the probability of each class, `(batch, num_classes)`, as labels.

    Args:
        batches: Batches of images, class indices `(batch,)` for each output, and perhaps sample
            weights.
        num_classes: Number of classes.
        smoothing: Probability that is spread evenly over all classes.

    Reference:
        Szegedy et al., "Rethinking the Inception architecture", arXiv:1512.00567, section 7.
    """
    import tensorflow as tf

    other = smoothing / num_classes

    def smoothed(labels: tf.Tensor) -> tf.Tensor:
        return tf.one_hot(labels, num_classes, 1 - smoothing + other, other)

    return batches.map(lambda x, y, *weights: (x, tf.nest.map_structure(smoothed, y), *weights))


def mixed_batches(
    batches: tf.data.Dataset, mixing: Mixing, seed: int, first_step: int = 0
) -> tf.data.Dataset:
    """Return training batches whose images and labels are mixed with others.

    Args:
        batches: Batches of images, label probabilities for each output, and perhaps sample weights.
        mixing: How images are mixed.
        seed: Together with a batch's number it determines how the batch is mixed.
        first_step: Number of the first batch, counted from the start of the training.
    """
    import tensorflow as tf

    def mixed(step: tf.Tensor, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        images, labels, *weights = batch
        # Both are below 0, so that they differ from the seeds of `training_batches`.
        step_seed = tf.stack([-1 - seed, -1 - step])
        if not weights:
            return mix(images, labels, mixing, step_seed)
        # The loss is linear in the labels: so each of the two classes keeps its own weight.
        weights = weights[0][:, tf.newaxis]
        labels = tf.nest.map_structure(lambda values: values * weights, labels)
        images, (labels, weights) = mix(images, (labels, weights), mixing, step_seed)
        labels = tf.nest.map_structure(lambda values: values / weights, labels)
        return images, labels, weights[:, 0]

    return batches.enumerate(first_step).map(mixed, num_parallel_calls=2, deterministic=True)


def inference_batch_size(preprocessing: Preprocessing) -> int:
    """Return the batch size for running a network without training it: at most 256.

    With the 2^21 pixels of a batch, the first feature maps of a VGG take half a gigabyte: 64
    channels of float32.
    """
    return max(1, min(256, 2**21 // (preprocessing.height * preprocessing.width)))


def _normalization(preprocessing: Preprocessing) -> Callable[[tf.Tensor], tf.Tensor]:
    mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    return lambda pixels: (pixels - mean) / std
