"""A small network, trained for seconds on real digits, and its float32 file."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import export
from export.conversion import calibration
from export.recipes import RECIPES

STORED = [name for name, row in RECIPES.items() if not row.techniques]
"""The recipes that say how a file is stored; the others store so what was trained on."""


class Trained(NamedTuple):
    model: Any
    float32: bytes
    calibration: NDArray[np.float32]
    images: NDArray[np.float32]  # held out
    labels: NDArray[np.int64]
    reference: NDArray[np.float32]  # the model's probabilities for `images`


def build() -> Any:
    """Every kind of operation of the lecture's small networks: BN, shortcut, pooling, tanh."""
    import keras
    from keras import layers, ops

    image = layers.Input((8, 8, 1), name="image")
    x = layers.Conv2D(16, 3, padding="same", use_bias=False, name="conv1")(image)
    x = layers.ReLU()(layers.BatchNormalization(momentum=0.9, name="conv1_bn")(x))
    y = layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="conv2")(x)
    y = layers.BatchNormalization(momentum=0.9, name="conv2_bn")(y)
    shortcut = layers.DepthwiseConv2D(
        1, 2, use_bias=False, depthwise_initializer="ones", trainable=False, name="subsample"
    )(x)
    shortcut = ops.pad(shortcut, ((0, 0), (0, 0), (0, 0), (0, 16)))
    x = layers.ReLU()(layers.Add()([y, shortcut]))
    x = layers.Conv2D(32, 3, padding="same", activation="tanh", name="conv3")(x)
    x = layers.Flatten()(layers.AveragePooling2D(2, name="pool")(x))
    scores = layers.Dense(10, activation="softmax", name="probabilities")(x)
    return keras.Model(image, scores, name="small")


@pytest.fixture(scope="session")
def trained() -> Trained:
    import keras
    from sklearn.datasets import load_digits

    digits = load_digits()
    images = ((digits.images[..., np.newaxis] - 8) / 8).astype(np.float32)
    order = np.random.default_rng(0).permutation(len(images))
    images, labels = images[order], digits.target[order]
    keras.utils.set_random_seed(0)
    model = build()
    adam = keras.optimizers.Adam(3e-3)
    model.compile(adam, "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(images[:1400], labels[:1400], batch_size=64, epochs=5, verbose=0)
    reference = model.predict(images[1400:], verbose=0)
    assert (reference.argmax(axis=1) == labels[1400:]).mean() > 0.95
    return Trained(
        model=model,
        float32=export.convert(model),
        calibration=calibration.sample(images[:1400], labels[:1400]),
        images=images[1400:],
        labels=labels[1400:],
        reference=reference,
    )
