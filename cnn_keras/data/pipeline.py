"""Batches of a split as `tf.data` pipelines, for training and for evaluation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..errors import Error
from .augmentation.augment import Augmentation, augmenter
from .augmentation.mixing import Mixing, mix
from .augmentation.random_numbers import sample_seeds
from .loading.image_files import AnySplit, FileSplit
from .loading.share import WHOLE, Share
from .loading.shuffled import shuffled_batches
from .preprocessing import Preprocessing, UInt8Images
from .splits import Labels, Split

if TYPE_CHECKING:
    import tensorflow as tf


_PREFETCHED_BYTES = 2**27  # at most; four batches of 32 images of 224×224×3 take 77 MB


def training_batches(
    split: AnySplit,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    *,
    batch_size: int,
    epochs: int,
    seed: int,
    first_epoch: int = 0,
    first_step: int = 0,
    workers: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Return the batches of a training, shuffled and augmented, from any of them on.

    The order of an epoch depends on its number and the seed alone. So do, for each image, the
    random changes of the image.

    Args:
        split: Images in the network's input size.
        preprocessing: Its normalization follows the augmentation.
        augmentation: How images are changed at random.
        batch_size: Images per batch; the last images of an epoch that do not fill one are left out.
        epochs: Number of epochs, counted from epoch 0.
        seed: Seed of the order and of the changes.
        first_epoch: Epoch at which a training resumes.
        first_step: Batch of that epoch at which it resumes, counted from 0.
        workers: Number of worker processes that decode image files; with 0, threads do. They change
            nothing but the speed.
        share: The images of each batch that this process loads.

    Returns:
        Batches of images `(batch, height, width, channels)` float32 and labels `(batch,)`; of each
        batch only the images of the share.
    """
    import tensorflow as tf

    augment, normalize = augmenter(augmentation, preprocessing.shape), _normalization(preprocessing)

    def augmented(
        pixels: tf.Tensor, labels: tf.Tensor, samples: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        pixels = tf.cast(pixels, tf.float32)
        return normalize(augment(pixels, sample_seeds(seed, samples))), labels

    if isinstance(split, FileSplit):
        step = first_epoch * (len(split.labels) // batch_size) + first_step
        files = partial(
            shuffled_batches,
            split,
            batch_size,
            epochs,
            seed,
            step,
            crop=augmentation.crop,
            workers=workers,
            share=share,
        )
        batches = _generated(files, (share.size(batch_size), *split.shape), 2)
    else:
        batches = _shuffled_batches(split, batch_size, epochs, seed, first_epoch, first_step, share)
    return prefetched(batches.map(augmented, num_parallel_calls=2, deterministic=True))


def prefetched(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return training batches that are computed ahead: four, or fewer if they are large."""
    images = batches.element_spec[0]
    size_bytes = images.dtype.size * images.shape.num_elements()
    return _without_autotuning(batches.prefetch(max(1, min(4, _PREFETCHED_BYTES // size_bytes))))


def _without_autotuning(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Return batches whose iterator ends at once.

    TensorFlow tunes a pipeline in a thread that wakes up after 10, 20, 40 ms and so on, up to a
    minute, and an iterator waits for it at its end. Here is nothing to tune.
    """
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def _shuffled_batches(
    split: Split,
    batch_size: int,
    epochs: int,
    seed: int,
    first_epoch: int,
    first_step: int,
    share: Share,
) -> tf.data.Dataset:
    """Return batches of pixels uint8, labels and samples; see `training_batches`.

    A sample is an image in an epoch: its number is `epoch * images + index`.
    """
    import tensorflow as tf

    images, labels = tf.constant(split.images), tf.constant(split.labels)
    count = len(split.labels)

    def epoch_batches(epoch: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(count, dtype=tf.int64), seed=tf.stack([tf.cast(seed, tf.int64), epoch])
        )
        start = tf.where(epoch == first_epoch, first_step * batch_size, 0)
        indices = tf.data.Dataset.from_tensor_slices(order[start:])

        def load(batch: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            chosen = batch[share.rows(batch_size)]
            return tf.gather(images, chosen), tf.gather(labels, chosen), epoch * count + chosen

        return indices.batch(batch_size, drop_remainder=True).map(load)

    return tf.data.Dataset.range(first_epoch, epochs).flat_map(epoch_batches)


def evaluation_batches(split: AnySplit, preprocessing: Preprocessing) -> tf.data.Dataset:
    """Return the batches of a split in order, normalized.

    Args:
        split: Images in the network's input size.
        preprocessing: The normalization.

    Returns:
        Batches of images `(batch, height, width, channels)` float32 and labels `(batch,)`.
    """
    import tensorflow as tf

    normalize = _normalization(preprocessing)
    size = inference_batch_size(preprocessing)
    if isinstance(split, FileSplit):
        batches = _generated(partial(_labeled_chunks, split, size), (None, *split.shape), 1)
        batches = batches.apply(
            tf.data.experimental.assert_cardinality(-(-len(split.labels) // size))
        )
    else:
        rows = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
        batches = rows.batch(size)
    batches = batches.map(lambda x, y: (normalize(tf.cast(x, tf.float32)), y)).prefetch(1)
    return _without_autotuning(batches)


def _labeled_chunks(split: FileSplit, size: int) -> Iterator[tuple[UInt8Images, Labels]]:
    start = 0
    for images in split.chunks(size):
        yield images, split.labels[start : start + len(images)]
        start += len(images)


def _generated(
    generate: Callable[[], Iterator[tuple[NDArray[Any], ...]]],
    shape: tuple[int | None, ...],
    num_vectors: int,
) -> tf.data.Dataset:
    """Return the batches of a generator.

    Args:
        generate: Returns batches of images, and of integers `(batch,)`.
        shape: Shape of the images of a batch.
        num_vectors: How many arrays of integers follow the images.
    """
    import tensorflow as tf

    def noting_errors() -> Iterator[tuple[NDArray[Any], ...]]:
        try:
            yield from generate()
        except Error as error:
            _file_errors.append(error)
            raise

    vector = tf.TensorSpec(shape[:1], tf.int64)
    signature = (tf.TensorSpec(shape, tf.uint8), *(num_vectors * [vector]))
    return tf.data.Dataset.from_generator(noting_errors, output_signature=signature)


_file_errors: list[Error] = []


@contextmanager
def errors_of_files() -> Iterator[None]:
    """Raise the error of an image file itself, instead of TensorFlow's that contains its text."""
    _file_errors.clear()
    try:
        yield
    except Exception as error:
        if _file_errors:
            raise _file_errors[0] from error
        raise


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
    batches: tf.data.Dataset,
    mixing: Mixing,
    seed: int,
    first_step: int = 0,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Return training batches whose images and labels are mixed with others.

    Args:
        batches: Batches of images, label probabilities for each output, and perhaps sample weights.
        mixing: How images are mixed.
        seed: Together with a batch's number it determines how the batch is mixed.
        first_step: Number of the first batch, counted from the start of the training.
        share: The images of each batch that this process loads, and mixes with each other.
    """
    import tensorflow as tf

    def mixed(step: tf.Tensor, batch: tuple[Any, ...]) -> tuple[Any, ...]:
        images, labels, *weights = batch
        # Both are below 0, so that they differ from the seeds of `training_batches`.
        step_seed = tf.stack([-1 - seed, -1 - step * share.num_processes - share.process])
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
    """Return `Preprocessing.__call__` for the graph of a pipeline."""
    import tensorflow as tf

    height, width, channels = preprocessing.shape
    mean, std = preprocessing.of_row(width)

    def normalize(pixels: tf.Tensor) -> tf.Tensor:
        rows = tf.reshape(pixels, (-1, height, width * channels))
        return tf.reshape((rows - mean) / std, (-1, height, width, channels))

    return normalize
