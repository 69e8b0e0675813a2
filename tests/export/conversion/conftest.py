"""The data and settings of further training, shared by the tests of this folder."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.training.recipes import Recipe
from export.conversion.compression import TrainingSetup


@pytest.fixture(scope="module")
def setup() -> TrainingSetup:
    digits = load_digits()
    pixels = digits.images[..., np.newaxis].astype(np.uint8)
    return TrainingSetup(
        Split(pixels[:1280], digits.target[:1280]),
        Preprocessing(8, 8, 1, (8.0,), (8.0,)),
        Recipe(0.05, 0.9, 1e-4, 64, 5, (0.5,), 0.1),
        flip=False,
        seed=0,
        epochs=2,
        validation=Split(pixels[1280:], digits.target[1280:]),
    )
