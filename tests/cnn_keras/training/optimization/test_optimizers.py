from __future__ import annotations

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.optimization.optimizers import build_optimizer
from cnn_keras.training.recipes import CIFAR_RESNET, Recipe

PLAIN = replace(
    CIFAR_RESNET, learning_rate=0.1, momentum=0.0, weight_decay=0.0, milestones=(), epochs=1
)


def updated(recipe: Recipe, gradients: list[list[float]], start: list[float]) -> np.ndarray:
    """Return two weights, each a variable of its own, after a step for each row of gradients."""
    weights = [keras.Variable([value]) for value in start]
    optimizer = build_optimizer(recipe, 10)
    optimizer.build(weights)
    for row in gradients:
        optimizer.apply([keras.ops.convert_to_tensor([value]) for value in row], weights)
    return np.array([float(weight.numpy()[0]) for weight in weights])


@pytest.mark.parametrize(("clip_norm", "scale"), [(0.0, 1.0), (10.0, 1.0), (1.0, 0.2)])
def test_gradients_are_scaled_to_their_norm_together(clip_norm: float, scale: float) -> None:
    found = updated(replace(PLAIN, clip_norm=clip_norm), [[3.0, 4.0]], [1.0, 1.0])
    np.testing.assert_allclose(found, 1 - 0.1 * scale * np.array([3.0, 4.0]), rtol=1e-6)


def test_weight_decay_has_the_strength_of_an_l2_penalty() -> None:
    """After many steps without a data gradient, both shrink a weight by the same factor."""
    decay, momentum, rate, steps = 1e-3, 0.9, 0.1, 1_000
    weight, velocity = 1.0, 0.0
    for _ in range(steps):  # Caffe: v = m v - lr (g + decay w); w += v
        velocity = momentum * velocity - rate * decay * weight
        weight += velocity
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    compile_model(
        model,
        replace(CIFAR_RESNET, weight_decay=decay, momentum=momentum, learning_rate=rate, epochs=9),
        steps_per_epoch=steps,
    )
    model.set_weights([np.ones((1, 1))])
    variable = model.trainable_variables[0]
    for _ in range(steps):
        model.optimizer.apply([np.zeros((1, 1), "float32")], [variable])
    shrunk = math.log(float(variable.numpy()[0, 0]))
    assert shrunk == pytest.approx(math.log(weight), rel=0.02)
