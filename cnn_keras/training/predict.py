"""Run a network on images: `predict`, and how many images fit into a batch."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..data.pipeline import inference_batch_size
from ..data.preprocessing import Preprocessing, UInt8Images
from ..errors import Error, keras_reason
from .evaluate import Probabilities

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


def predict(model: keras.Model, preprocessing: Preprocessing, images: UInt8Images) -> Probabilities:
    """Return probabilities `(n, classes)` for `(n, height, width, channels)` uint8 images.

    Raises:
        Error: A custom layer raises an error, or there is not enough memory.
    """
    size = inference_batch_size(preprocessing)
    batches = (preprocessing(images[at : at + size]) for at in range(0, len(images), size))
    parts = []
    for batch in batches:
        try:
            parts.append(model.predict_on_batch(batch))
        except Exception as error:
            raise Error(
                f"Model '{model.name}' does not run on {len(batch)} images: {keras_reason(error)}",
                details=traceback.format_exc(),
            ) from error
    return np.concatenate(parts)


def uses_xla() -> bool:
    """Return whether XLA compiles the network: only on JAX, which has no other compiler.

    On a CPU its convolutions are slower than those of oneDNN.
    """
    import keras

    return bool(keras.backend.backend() == "jax")
