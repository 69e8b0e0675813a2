"""Run a network on images: `predict`, and how many images fit into a batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.loading.evaluation_crops import image_crops
from ..data.loading.image_files import AnySplit
from ..data.pipeline import inference_batch_size
from ..data.preprocessing import Preprocessing, UInt8Images
from ..data.splits import Split
from ..errors import Error, keras_reason
from .evaluate import Probabilities
from .hosts import devices
from .hosts.evaluation import predict_together

if TYPE_CHECKING:
    import keras


class Classifier(NamedTuple):
    """A network that classifies images, with its preprocessing and classes.

    Attributes:
        preprocessing: Preprocessing of its input.
        classes: Class names, in the order of its outputs.
        predict: Returns probabilities `(n, classes)` for `(n, height, width, channels)` uint8
            images.
    """

    preprocessing: Preprocessing
    classes: tuple[str, ...]
    predict: Callable[[UInt8Images], Probabilities]


def predict(
    model: keras.Model, preprocessing: Preprocessing, images: UInt8Images | AnySplit
) -> Probabilities:
    """Return the probabilities `(n, classes)` of images.

    Args:
        model: The network.
        preprocessing: Its preprocessing.
        images: `(n, height, width, channels)` uint8, or a split in the input size, whose files are
            read batch by batch.

    Raises:
        Error: A custom layer raises an error, a file is broken, or there is not enough memory.
    """
    if isinstance(images, np.ndarray):
        images = Split(images, np.zeros(len(images), np.int64))
    if devices.distribution() is not None:
        return np.concatenate([*predict_together(model, preprocessing, images)])
    parts = []
    for batch in map(preprocessing, images.chunks(inference_batch_size(preprocessing))):
        try:
            parts.append(model.predict_on_batch(batch))
        except Exception as error:
            raise Error(
                f"Model '{model.name}' does not run on {len(batch)} images: {keras_reason(error)}",
                details=traceback.format_exc(),
            ) from error
    return np.concatenate(parts)


def predict_crops(
    model: keras.Model, preprocessing: Preprocessing, split: AnySplit, count: int
) -> Probabilities:
    """Return the probabilities `(n, classes)` of images: the mean over several crops of each.

    Args:
        model: The network.
        preprocessing: Its preprocessing.
        split: Images in their own size.
        count: Number of crops, 1 or 10, see `image_crops`.

    Raises:
        Error: See `predict`.
    """
    parts = []
    size = max(1, inference_batch_size(preprocessing) // count)
    for crops in image_crops(split, preprocessing, count, size):
        probabilities = predict(model, preprocessing, crops.reshape(-1, *preprocessing.shape))
        parts.append(probabilities.reshape(*crops.shape[:2], -1).mean(axis=1))
    return np.concatenate(parts)


def uses_xla() -> bool:
    """Return whether XLA compiles the network: only on JAX, which has no other compiler.

    On a CPU its convolutions are slower than those of oneDNN.
    """
    import keras

    return bool(keras.backend.backend() == "jax")
