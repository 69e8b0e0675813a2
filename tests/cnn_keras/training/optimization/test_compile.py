from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data.pipeline import label_probabilities
from cnn_keras.models.shortcuts import subsample
from cnn_keras.training.optimization.compile import compile_model, speed_up
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


def test_a_sped_up_step_has_the_faster_operations_and_equal_results() -> None:
    """Convolutions by group, pooling shortcuts, and fused normalizations and updates."""

    def trained(faster: bool) -> tuple[list[str], list[np.ndarray]]:
        keras.utils.set_random_seed(0)
        image = keras.Input((1, 1, 4))
        x = keras.layers.Conv2D(6, 3, padding="same", groups=2)(image)
        x = subsample(keras.layers.BatchNormalization()(x), 2, name="shortcut")
        x = keras.layers.Flatten()(x)
        model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(x))
        compile_model(model, CIFAR_RESNET, 10)
        if faster:
            speed_up(model)
        generator = np.random.default_rng(0)
        images = generator.normal(size=(8, 1, 1, 4)).astype("float32")
        batch = (tf.constant(images), tf.constant(generator.integers(3, size=8)))
        step = tf.function(lambda: model.train_step(batch)).get_concrete_function()
        for _ in range(3):
            step()
        return [each.type for each in step.graph.get_operations()], model.get_weights()

    (plain, expected), (faster, found) = trained(False), trained(True)
    for operation, count in (
        ("Conv2D", 2),
        ("AvgPool", 1),
        ("FusedBatchNormV3", 1),
        ("ResourceApplyKerasMomentum", 6),
    ):
        assert operation not in plain
        assert faster.count(operation) == count
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
