"""The input pipelines of this package, Keras and tf.data over JPEG files; run as a subprocess."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from cnn_keras.command import start_keras
from cnn_keras.data.augmentation.augment import Augmentation
from cnn_keras.data.loading.image_files import FileSplit, decode
from cnn_keras.data.loading.shuffled import shuffled_batches
from cnn_keras.data.pipeline import training_batches
from cnn_keras.data.preprocessing import Preprocessing

from ...worker import serve
from .passes import BATCH, SIDE, WORKERS, Pipeline, answer_passes, jpeg_files

_SHAPE = (SIDE, SIDE, 3)
_TENSORFLOW = ("tensorflow", version("tensorflow"))


def loader(folder: Path, workers: int) -> Pipeline:
    """Return the loader of `train`: batches of pixels.

    Args:
        folder: The files.
        workers: Number of worker processes; with 0, threads, as many as cores.
    """
    split = _split(folder)
    return Pipeline(
        lambda: (
            batch.images
            for batch in shuffled_batches(split, BATCH, epochs=1, seed=0, workers=workers)
        ),
        lambda: decode(split.paths[:BATCH], _SHAPE).images,
        ("grain", version("grain")),
    )


def training(folder: Path) -> Pipeline:
    """Return the batches of a training without augmentation: the loader's, normalized."""
    start_keras()
    split = _split(folder)
    batches = training_batches(
        split,
        Preprocessing(*_SHAPE, (127.5,) * 3, (64.0,) * 3),
        Augmentation(),
        batch_size=BATCH,
        epochs=1,
        seed=0,
    )
    return Pipeline(
        lambda: (images for images, _ in batches),
        lambda: decode(split.paths[:BATCH], _SHAPE).images,
        _TENSORFLOW,
    )


def _split(folder: Path) -> FileSplit:
    paths, labels = jpeg_files(folder)
    return FileSplit(tuple(paths), np.array(labels), _SHAPE)


def keras(folder: Path, interpolation: str) -> Pipeline:
    """Return `image_dataset_from_directory`.

    Args:
        folder: The files.
        interpolation: ``"area"`` averages the pixels of an area, the one filter that this function
            has; ``"bilinear"``, its default, reads four pixels and skips the others.
    """
    start_keras()
    import keras

    def batches(shuffle: bool) -> Any:
        return keras.utils.image_dataset_from_directory(
            folder,
            image_size=(SIDE, SIDE),
            batch_size=BATCH,
            interpolation=interpolation,
            crop_to_aspect_ratio=True,
            shuffle=shuffle,
            seed=0,
            verbose=False,
        ).with_options(_two_threads())

    shuffled = batches(shuffle=True)
    return Pipeline(
        lambda: (images for images, _ in shuffled),
        lambda: next(iter(batches(shuffle=False)))[0].numpy(),
        ("keras", version("keras")),
    )


def tf_data(folder: Path, antialias: bool) -> Pipeline:
    """Return a pipeline of tf.data.

    Args:
        folder: The files.
        antialias: Whether `tf.image.resize` filters as Pillow does; by default it reads four pixels
            and skips the others.
    """
    start_keras()
    import tensorflow as tf

    def load(path: tf.Tensor) -> tf.Tensor:
        image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
        side = tf.reduce_min(tf.shape(image)[:2])
        top, left = tf.unstack((tf.shape(image)[:2] - side) // 2)
        image = image[top : top + side, left : left + side]
        return tf.ensure_shape(tf.image.resize(image, (SIDE, SIDE), antialias=antialias), _SHAPE)

    paths, labels = jpeg_files(folder)
    batches = (
        tf.data.Dataset.from_tensor_slices((paths, labels))
        .shuffle(len(paths), seed=0)
        .map(lambda path, label: (load(path), label), num_parallel_calls=WORKERS)
        .batch(BATCH, drop_remainder=True)
        .prefetch(tf.data.AUTOTUNE)
        .with_options(_two_threads())
    )
    return Pipeline(
        lambda: (images for images, _ in batches),
        lambda: np.stack([load(path).numpy() for path in paths[:BATCH]]),
        _TENSORFLOW,
    )


def _two_threads() -> Any:
    import tensorflow as tf

    options = tf.data.Options()
    options.threading.private_threadpool_size = WORKERS
    return options


PIPELINES: dict[str, Callable[[Path], Pipeline]] = {
    "threads": partial(loader, workers=0),
    "workers": partial(loader, workers=WORKERS),
    "training": training,
    "keras": partial(keras, interpolation="area"),
    "keras_unfiltered": partial(keras, interpolation="bilinear"),
    "tf_data": partial(tf_data, antialias=True),
    "tf_data_unfiltered": partial(tf_data, antialias=False),
}

if __name__ == "__main__":
    sys.exit(serve(answer_passes(PIPELINES)))
