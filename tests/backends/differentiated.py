"""Compute gradients on another backend, of a network that TensorFlow saved.

Run by a Python without TensorFlow, with KERAS_BACKEND set: `differentiated.py FOLDER` reads
network.keras and images.npz and writes the gradients to BACKEND.npz.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np

from cnn_keras.inspection.gradient_paths import path_gradients
from cnn_keras.inspection.gradients import gradient, weight_gradients
from cnn_keras.inspection.surgery import split_into_modules


def gradients(model: keras.Model, images: Any, labels: Any) -> dict[str, Any]:
    """Return the loss's gradients by weight, in training, by the images, and along paths."""
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    before = [keras.ops.convert_to_numpy(variable) for variable in model.variables]
    found = weight_gradients(model, loss, images, labels)
    found["images"] = gradient(lambda x: loss(labels, model(x, training=False)), images)
    network = split_into_modules(model)
    paths = np.random.default_rng(0).random((len(images), len(network.modules))) < 0.5
    found["paths"] = path_gradients(network, images, labels, paths)
    for value, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), value)
    return found


def main(folder: Path) -> None:
    assert "tensorflow" not in sys.modules
    model = keras.saving.load_model(folder / "network.keras", compile=False)
    found = gradients(model, **np.load(folder / "images.npz"))
    np.savez(folder / f"{keras.backend.backend()}.npz", **found)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
