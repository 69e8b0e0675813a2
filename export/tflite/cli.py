"""The command `predict`, for run folders and for files."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from cnn_keras.command import log, progress
from cnn_keras.errors import Error, UsageError
from cnn_keras.training import cli

if TYPE_CHECKING:
    from cnn_keras.data.preprocessing import UInt8Images
    from cnn_keras.training.evaluate import Probabilities
    from cnn_keras.training.predict import Classifier


@dataclass(frozen=True, kw_only=True)
class Predict(cli.Predict):
    """Classify images with a run's network or a .tflite file.

    A file needs neither TensorFlow nor Keras. A warning on stderr reports images that look
    inverted, for example black digits on white paper for a network of white digits on black.
    """

    source: tyro.conf.Positional[Path]
    """Run folder, a trained network such as resnet20:fashion_mnist, or a .tflite file."""
    pixel_range: tuple[float, float] | None = None
    """Values of black and white that a .tflite file expects, if it does not state its
    preprocessing: 0 1, -1 1, or 0 255."""

    def classifier(self) -> Classifier:
        """Return the network of the run folder, or the file.

        Raises:
            Error: There is no such run, or it is broken.
            ModelFileError: The file is broken or not an image classifier.
            UsageError: --pixel-range is missing, wrong, or not for this source.
        """
        low, high = self.pixel_range or (0, 1)
        if not -math.inf < low < high < math.inf:
            raise UsageError("--pixel-range takes the value of black and a greater value of white.")
        if self.is_tflite:
            return self._file_classifier()
        if self.pixel_range:
            raise UsageError("--pixel-range is for .tflite files: a run has its own preprocessing.")
        return super().classifier()

    def _file_classifier(self) -> Classifier:
        import numpy as np

        from cnn_keras.training.predict import Classifier
        from cnn_keras.training.probabilities import are_probabilities

        from .isolation import call

        file = self.source
        found = call("tflite.classifier.describe", file, self.pixel_range, file=file)
        if found.labels and found.classes != found.labels:
            log(
                f"'{file}' has {len(found.labels)} labels for {found.num_classes} classes, so "
                "their numbers are printed."
            )

        def predict(images: UInt8Images) -> Probabilities:
            inputs = found.preprocessing(images)
            with progress("classify images", len(images)) as advance:
                target = "tflite.classifier.classify"
                outputs: Probabilities = call(target, file, inputs, file=file, advance=advance)
            if not np.isfinite(outputs).all():
                raise Error(f"'{file}' gives NaN or infinite scores.")
            if not are_probabilities(outputs):
                log(f"'{file}' gives scores that are not probabilities: only their order counts.")
            return outputs

        return Classifier(found.preprocessing, found.classes, predict)
