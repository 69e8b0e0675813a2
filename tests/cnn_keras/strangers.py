"""Models as people have them who know nothing of this project."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from cnn_keras import data
from cnn_keras.preprocessing import Preprocessing

SIDE = 12
"""Of the images that `digits` takes."""

CODE = """
import keras

class Twice(keras.layers.Layer):
    def call(self, x):
        return 2 * x
"""


@cache
def digits() -> keras.Sequential:
    """A classifier of scikit-learn's digits that rescales by itself and gives logits."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            layers.Input((SIDE, SIDE, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, 2, activation="relu"),
            layers.BatchNormalization(momentum=0.9),
            layers.Conv2D(32, 3, activation="relu"),
            layers.Flatten(),
            layers.Dense(10, name="scores"),
        ],
        name="mine",
    )
    train = data.load("digits").train.resized(Preprocessing(SIDE, SIDE, 1, (0.0,), (1.0,)))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(3e-3), loss, jit_compile=False)
    model.fit(train.images.astype(np.float32), train.labels, batch_size=64, epochs=4, verbose=0)
    return model


def rgb(units: int = 3, activation: str | None = "softmax", **arguments: Any) -> keras.Sequential:
    """A small untrained classifier of color pictures, whose scores are some units apart."""
    keras.utils.set_random_seed(1)
    arguments = {"shape": (8, 8, 3)} | arguments
    return keras.Sequential(
        [
            layers.Input(**arguments),
            layers.Conv2D(8, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(units, activation),
        ]
    )


def pixels(side: int = 8, channels: int = 3) -> NDArray[np.uint8]:
    """Five random pictures."""
    return np.random.default_rng(0).integers(0, 256, (5, side, side, channels), np.uint8)


def saved(model: keras.Model, path: Path) -> Path:
    """Save a model and return the path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return path
