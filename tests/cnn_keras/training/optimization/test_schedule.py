from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.optimization.schedule import learning_rate_schedule
from cnn_keras.training.recipes import CIFAR_RESNET, RECIPES


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


def rates(steps: Sequence[int], **values: Any) -> list[float]:
    schedule = learning_rate_schedule(replace(CIFAR_RESNET, epochs=10, **values), 20)
    return [float(schedule(step)) for step in steps]  # type: ignore[operator]


STEPS = [0, 1, 9, 10, 11, 59, 60, 61, 100, 199, 200]


@pytest.mark.parametrize("warmup_steps", [0, 10])
def test_the_cosine_equals_numpy(warmup_steps: int) -> None:
    steps = np.array(STEPS)
    fraction = (steps - warmup_steps) / (200 - warmup_steps)
    expected = 0.1 * (1 + np.cos(np.pi * fraction)) / 2
    if warmup_steps:
        expected = np.where(steps < 10, 0.01 + (0.1 - 0.01) * steps / 10, expected)
    found = rates(STEPS, schedule="cosine", warmup_steps=warmup_steps, warmup_rate=0.01)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-8)


def test_one_cycle_equals_numpy() -> None:
    steps = np.array(STEPS)
    rise = 0.1 / 25 + (0.1 - 0.1 / 25) * steps / 60
    final = 0.1 / 25 / 1e4
    fall = final + (0.1 - final) * (1 + np.cos(np.pi * (steps - 60) / 140)) / 2
    found = rates(STEPS, schedule="one_cycle", warmup_steps=10, warmup_rate=0.05)
    np.testing.assert_allclose(found, np.where(steps < 60, rise, fall), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("milestones", [(), (0.5, 0.75)])
def test_the_step_schedule_with_a_linear_warm_up_equals_numpy(
    milestones: tuple[float, ...],
) -> None:
    steps = np.array(STEPS)
    fallen = sum((steps > 200 * milestone).astype(int) for milestone in milestones)
    expected = np.where(steps < 10, 0.01 + (0.1 - 0.01) * steps / 10, 0.1 * 0.1**fallen)
    found = rates(
        STEPS, milestones=milestones, warmup_steps=10, warmup_rate=0.01, linear_warmup=True
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_warm_up_longer_than_the_training_is_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    found = rates([0], schedule="cosine", warmup_steps=200, warmup_rate=0.01)
    assert found == pytest.approx([0.1])
    assert "No warm-up" in capsys.readouterr().err
