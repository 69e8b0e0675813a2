from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest

from cnn_keras.training.optimization.averaging import EvaluateAverage, averaged_weights
from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.recipes import CIFAR_RESNET

IMAGES = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
LABELS = np.arange(12) % 3


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    compile_model(model, replace(CIFAR_RESNET, epochs=2, ema_momentum=0.9), 3)
    return model


def averages(model: keras.Model) -> list[np.ndarray]:
    return [np.array(v) for v in model.optimizer.variables if v.name.endswith("average")]


def test_the_average_is_in_the_model_for_a_while(model: keras.Model) -> None:
    model.train_on_batch(IMAGES[:6], LABELS[:6])
    model.train_on_batch(IMAGES[6:], LABELS[6:])
    before = model.get_weights()
    with averaged_weights(model):
        within = model.get_weights()
    for weight, average, last, restored in zip(
        before, averages(model), within, model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(last, average)
        np.testing.assert_array_equal(restored, weight)
        assert not np.array_equal(average, weight)


def test_a_model_without_an_average_keeps_its_weights(model: keras.Model) -> None:
    compile_model(model, CIFAR_RESNET, 3)
    model.train_on_batch(IMAGES, LABELS)
    before = model.get_weights()
    with averaged_weights(model):
        within = model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, within, strict=True))


def test_the_average_is_validated(model: keras.Model) -> None:
    data = {"x": IMAGES, "y": LABELS, "batch_size": 4, "shuffle": False, "verbose": 0}
    history = model.fit(
        **data, epochs=2, validation_data=(IMAGES, LABELS), callbacks=[EvaluateAverage()]
    )
    # `fit` leaves the average in the model at its end.
    found = model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    assert history.history["val_loss"][-1] == pytest.approx(found["loss"], rel=1e-6)
