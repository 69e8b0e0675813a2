from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from cnn_keras.training.optimization.averaging import WeightAverage
from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.optimization.optimizers import num_batches_seen
from cnn_keras.training.recipes import CIFAR_RESNET

IMAGES = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
LABELS = np.arange(6) % 3
OVERFLOW = IMAGES * 1e9  # beyond the largest float16, 65504


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(3, dtype="mixed_float16"),
            keras.layers.Activation("softmax", dtype="float32"),
        ]
    )
    compile_model(model, replace(CIFAR_RESNET, precision="float16", ema_momentum=0.9), 3)
    return model


def scale(model: keras.Model) -> float:
    return float(model.optimizer.dynamic_scale)


def test_batches_that_overflow_are_skipped_and_counted(model: keras.Model) -> None:
    model.train_on_batch(IMAGES, LABELS)
    before = model.get_weights()
    model.train_on_batch(OVERFLOW, LABELS)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    assert num_batches_seen(model.optimizer) == 2
    assert int(model.optimizer.iterations) == 1
    assert scale(model) == 2**14


def test_the_stateless_optimizer_counts_skipped_batches(model: keras.Model) -> None:
    model.train_on_batch(IMAGES, LABELS)
    optimizer = model.optimizer
    variables = [variable.value for variable in optimizer.variables]
    weights = [variable.value for variable in model.trainable_variables]
    gradients = [keras.ops.full(weight.shape, np.inf) for weight in weights]
    same, after = optimizer.stateless_apply(variables, gradients, weights)
    assert all(np.array_equal(a, b) for a, b in zip(same, weights, strict=True))
    for variable, value in zip(optimizer.variables, after, strict=True):
        variable.assign(value)
    assert num_batches_seen(optimizer) == 2
    assert int(optimizer.iterations) == 1
    assert scale(model) == 2**14


def test_scale_and_count_are_saved(model: keras.Model, tmp_path: Path) -> None:
    for images in (IMAGES, OVERFLOW, IMAGES):
        model.train_on_batch(images, LABELS)
    model.save(tmp_path / "a.keras")
    loaded = keras.saving.load_model(tmp_path / "a.keras")
    assert num_batches_seen(loaded.optimizer) == 3
    assert scale(loaded) == 2**14
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    for old, new in zip(model.optimizer.variables, loaded.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.array(old), np.array(new))


def test_the_average_is_found_in_the_inner_optimizer(model: keras.Model) -> None:
    model.train_on_batch(IMAGES, LABELS)
    model.train_on_batch(IMAGES, LABELS)
    before = model.get_weights()
    with WeightAverage(model, []).in_network():
        assert not np.array_equal(model.get_weights()[0], before[0])
    np.testing.assert_array_equal(model.get_weights()[0], before[0])
