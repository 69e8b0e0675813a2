"""Callbacks that write logs for TensorBoard: scalars, augmented images, confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from ...data.preprocessing import Float32Images, Preprocessing, UInt8Images
from ..evaluate import confusion_matrix
from ..optimization.averaging import WeightAverage
from ..run_folder import Run
from .confusion_image import draw_confusion

_MAX_MATRICES = 20  # in a training
_MAX_COLUMNS = 8
_MAX_WIDTH = 1024  # of the grid, in pixels
_GAP = 2  # between two images of the grid, in pixels


def tensorboard_callbacks(
    run: Run,
    batches: tf.data.Dataset,
    held_out: tf.data.Dataset,
    average: WeightAverage,
    epochs: int,
) -> list[keras.callbacks.Callback]:
    """Return callbacks that write the folder `tensorboard` of a run.

    Args:
        run: The run folder, with its description.
        batches: See `Images`.
        held_out: See `Images`.
        average: See `Images`.
        epochs: Number of epochs.
    """
    folder = run.path / "tensorboard"
    images = Images(
        folder / "images", batches, held_out, average, run.preprocessing, run.classes, epochs
    )
    return [keras.callbacks.TensorBoard(folder), images]


class Images(keras.callbacks.Callback):
    """Write the images of the first training batch, and confusion matrices of validation images.

    A matrix takes one more pass over the validation images. It is therefore drawn after each epoch
    of a short training, but at most 20 times in a long one.

    Args:
        folder: Folder for the logs.
        batches: Training batches, whose first element is images `(batch, height, width, channels)`.
        held_out: Batches of validation images and their labels `(batch,)`.
        average: The average of the weights, with which the matrices are drawn.
        preprocessing: Normalization of the images.
        classes: Class names.
        epochs: Number of epochs.
    """

    def __init__(
        self,
        folder: Path,
        batches: tf.data.Dataset,
        held_out: tf.data.Dataset,
        average: WeightAverage,
        preprocessing: Preprocessing,
        classes: Sequence[str],
        epochs: int,
    ) -> None:
        super().__init__()
        self.batches, self.held_out, self.average = batches, held_out, average
        self.preprocessing, self.classes, self.epochs = preprocessing, classes, epochs
        self.is_first_epoch = True
        self.writer = tf.summary.create_file_writer(str(folder))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the images of the first batch, as augmentation changes them."""
        if self.is_first_epoch:
            self.is_first_epoch = False
            for images, *_ in self.batches.take(1):  # none if only a validation is left
                grid = image_grid(images.numpy(), self.preprocessing)
                self._write("first training batch", grid, epoch)

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Write a confusion matrix."""
        done = epoch + 1
        if done % math.ceil(self.epochs / _MAX_MATRICES) and done < self.epochs:
            return
        matrix = np.zeros((len(self.classes), len(self.classes)), np.int64)
        with self.average.in_network():
            for images, labels in self.held_out:
                outputs = self.model.predict_on_batch(images)
                probabilities = outputs[0] if isinstance(outputs, list) else outputs
                matrix += confusion_matrix(probabilities, labels.numpy())
        self._write("confusion of validation images", draw_confusion(matrix, self.classes), epoch)

    def _write(self, name: str, image: UInt8Images, step: int) -> None:
        with self.writer.as_default():
            tf.summary.image(name, image[np.newaxis], step)
        self.writer.flush()


def image_grid(images: Float32Images, preprocessing: Preprocessing) -> UInt8Images:
    """Arrange images in rows as one image, at most eight in a row, and at most a square of them.

    Args:
        images: Normalized images `(n, height, width, channels)`.
        preprocessing: Their normalization, which is undone.

    Returns:
        `(height, width, channels)` pixels.
    """
    mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    columns = max(1, min(_MAX_COLUMNS, _MAX_WIDTH // preprocessing.width, len(images)))
    rows = min(columns, len(images) // columns)
    pixels = (images[: rows * columns] * std + mean).round().clip(0, 255).astype(np.uint8)
    padding = ((0, 0), (0, _GAP), (0, _GAP), (0, 0))
    pixels = np.pad(pixels, padding, constant_values=255)
    _, height, width, channels = pixels.shape
    grid = pixels.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    return grid.reshape(rows * height, columns * width, channels)
