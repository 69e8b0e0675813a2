from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.pipeline import label_probabilities
from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.recipes import CIFAR_RESNET


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_of_smoothed_labels_equals_numpy(smoothing: float) -> None:
    generator = np.random.default_rng(0)
    images, labels = generator.normal(size=(7, 4)).astype("float32"), generator.integers(3, size=7)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    compile_model(model, replace(CIFAR_RESNET, label_smoothing=smoothing), 10)
    batches = tf.data.Dataset.from_tensors((images, labels))
    if smoothing:
        batches = label_probabilities(batches, 3, smoothing)
    found = model.evaluate(batches, verbose=0, return_dict=True)
    probabilities = model.predict(images, verbose=0)
    expected = np.eye(3)[labels] * (1 - smoothing) + smoothing / 3
    loss = -(expected * np.log(probabilities)).sum(axis=1).mean()
    assert found["loss"] == pytest.approx(loss, rel=1e-5)
    assert found["accuracy"] == pytest.approx((probabilities.argmax(axis=1) == labels).mean())
