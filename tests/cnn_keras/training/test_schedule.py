from __future__ import annotations

import math
from dataclasses import replace

import keras
import numpy as np
import pytest

from cnn_keras.training.recipes import CIFAR_RESNET, RECIPES
from cnn_keras.training.schedule import compile_model


def test_the_learning_rate_falls_at_the_milestones() -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    compile_model(model, replace(CIFAR_RESNET, epochs=8), steps_per_epoch=10)
    schedule = model.optimizer._learning_rate
    assert [round(float(schedule(step)), 6) for step in (1, 40, 41, 60, 61, 80)] == [
        0.1,
        0.1,
        0.01,
        0.01,
        0.001,
        0.001,
    ]
    compile_model(model, RECIPES["cifar_resnet110"], steps_per_epoch=391)
    warm = model.optimizer._learning_rate
    assert [round(float(warm(step)), 6) for step in (1, 400, 401)] == [0.01, 0.01, 0.1]


@pytest.mark.parametrize(("steps", "rate", "skipped"), [(9, 0.01, False), (10, 0.1, True)])
@pytest.mark.parametrize("milestones", [(), (0.5,)])
def test_a_warm_up_ends_before_the_learning_rate_falls_or_is_skipped(
    milestones: tuple[float, ...],
    steps: int,
    rate: float,
    skipped: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(2, activation="softmax")])
    epochs = 1 if milestones == () else 2  # 10 steps at the first rate in either case
    warm = replace(
        CIFAR_RESNET, epochs=epochs, milestones=milestones, warmup_steps=steps, warmup_rate=0.01
    )
    compile_model(model, warm, steps_per_epoch=10)
    rates = []
    for step in (1, 9, 10):
        model.optimizer.iterations.assign(step)
        rates.append(round(float(model.optimizer.learning_rate), 6))
    assert rates == [rate, rate, 0.1]
    assert ("No warm-up" in capsys.readouterr().err) == skipped


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
