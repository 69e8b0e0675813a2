from __future__ import annotations

import math
from dataclasses import replace
from typing import Literal

import keras
import numpy as np
import pytest

from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.optimization.optimizers import build_optimizer, num_batches_seen
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


def test_nesterov_equals_numpy() -> None:
    gradients, weight, velocity = [3.0, -1.0, 2.0], 1.0, 0.0
    for gradient in gradients:  # Sutskever et al. 2013, as Keras and torch state it
        velocity = 0.9 * velocity - 0.1 * gradient
        weight += 0.9 * velocity - 0.1 * gradient
    recipe = replace(PLAIN, momentum=0.9, nesterov=True)
    found = updated(recipe, [[gradient] for gradient in gradients], [1.0])
    assert found == pytest.approx(weight, rel=1e-6)
    assert found != pytest.approx(
        updated(replace(PLAIN, momentum=0.9), [[g] for g in gradients], [1.0]), rel=1e-2
    )


@pytest.mark.parametrize("name", ["adamw", "lamb"])
def test_adamw_and_lamb_equal_numpy(name: Literal["adamw", "lamb"]) -> None:
    gradients, weight, mean, square = [3.0, -1.0, 2.0], 1.5, 0.0, 0.0
    for step, gradient in enumerate(gradients, 1):
        weight -= 0.01 * 0.1 * weight
        mean, square = 0.8 * mean + 0.2 * gradient, 0.999 * square + 0.001 * gradient**2
        update = mean / (1 - 0.8**step) / math.sqrt(square / (1 - 0.999**step))
        if name == "lamb":
            update *= abs(weight) / abs(update)
        weight -= 0.01 * update
    recipe = replace(PLAIN, optimizer=name, learning_rate=0.01, momentum=0.8, weight_decay=0.1)
    found = updated(recipe, [[gradient] for gradient in gradients], [1.5])
    assert found == pytest.approx(weight, rel=1e-5)


@pytest.mark.parametrize("accumulated", [1, 2])
def test_the_average_of_the_weights_equals_numpy(accumulated: int) -> None:
    weight = keras.Variable([1.0])
    recipe = replace(PLAIN, ema_momentum=0.9, gradient_accumulation_steps=accumulated)
    optimizer = build_optimizer(recipe, 10)
    optimizer.build([weight])
    momentum, expected = 0.9 ** (1 / accumulated), 1.0
    average = None
    for step in range(8):
        optimizer.apply([keras.ops.convert_to_tensor([1.0 + step])], [weight])
        if (step + 1) % accumulated == 0:
            expected -= 0.1 * np.mean([1.0 + step - i for i in range(accumulated)])
        # The average starts with the weights after their first update.
        started = average is not None and step >= accumulated
        average = momentum * average + (1 - momentum) * expected if started else expected
    assert float(weight.numpy()[0]) == pytest.approx(expected, rel=1e-6)
    optimizer.finalize_variable_values([weight])
    # Weights from 1 to -2.6 cancel in the average, in float32.
    assert float(weight.numpy()[0]) == pytest.approx(average, abs=1e-6)
    assert average != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_two_accumulated_batches_equal_a_doubled_batch(name: Literal["sgd", "adamw"]) -> None:
    generator = np.random.default_rng(0)
    images = generator.normal(size=(64, 8, 8, 1)).astype("float32")
    labels = generator.integers(3, size=64)
    recipe = replace(
        PLAIN, optimizer=name, learning_rate=0.01, momentum=0.9, weight_decay=0.01, clip_norm=0.5
    )

    def trained(batch_size: int, accumulated: int) -> list[np.ndarray]:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Conv2D(4, 3)])
        model.add(keras.layers.Flatten())
        model.add(keras.layers.Dense(3, activation="softmax"))
        compile_model(model, replace(recipe, gradient_accumulation_steps=accumulated), 10)
        model.fit(images, labels, batch_size, epochs=2, shuffle=False, verbose=0)
        weights: list[np.ndarray] = model.get_weights()
        return weights

    doubled, plain = trained(16, 1), trained(8, 1)
    for i, found in enumerate(trained(8, 2)):
        # The mean of two means rounds differently from one mean in float32.
        np.testing.assert_allclose(found, doubled[i], rtol=1e-4, atol=1e-6)
        assert not np.allclose(found, plain[i], rtol=1e-3, atol=1e-5)


def test_batches_are_counted_where_gradients_are_accumulated() -> None:
    weight = keras.Variable([1.0])
    optimizer = build_optimizer(replace(PLAIN, gradient_accumulation_steps=2), 10)
    optimizer.build([weight])
    for _ in range(3):
        optimizer.apply([keras.ops.convert_to_tensor([1.0])], [weight])
    assert num_batches_seen(optimizer) == 3


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
