from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.training.optimization.fused_sgd import fuse_sgd
from cnn_keras.training.optimization.loss_scale import LossScaleOptimizer

OPTIONS: list[dict[str, Any]] = [
    {},
    {"nesterov": True},
    {"weight_decay": 0.1},
    {"gradient_accumulation_steps": 2},
    {"global_clipnorm": 0.1},
    {"use_ema": True, "ema_momentum": 0.5},
]


def trained(optimizer: keras.optimizers.Optimizer, fused: bool) -> list[Any]:
    """Return the weights and the optimizer's variables after four steps."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile(optimizer, "mse")
    if fused:
        fuse_sgd(optimizer)
    x, y = np.random.default_rng(0).normal(size=(2, 8, 5)).astype("float32")
    model.fit(x, y[:, :3], batch_size=2, shuffle=False, verbose=0)
    return [*model.get_weights(), *(np.array(v) for v in optimizer.variables)]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_steps_equal_those_of_keras_but_for_rounding(options: dict[str, Any]) -> None:
    plain, fused = (
        trained(keras.optimizers.SGD(0.1, momentum=0.9, **options), fused)
        for fused in (False, True)
    )
    for expected, found in zip(plain, fused, strict=True):
        np.testing.assert_allclose(found, expected, rtol=2e-6, atol=2e-7)


def test_the_optimizer_within_a_loss_scale_is_fused() -> None:
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    fuse_sgd(LossScaleOptimizer(optimizer))
    assert "update_step" in vars(optimizer)


def test_the_saved_configuration_stays_as_it_is() -> None:
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9)
    before = keras.saving.serialize_keras_object(optimizer)
    fuse_sgd(optimizer)
    assert keras.saving.serialize_keras_object(optimizer) == before


@pytest.mark.parametrize("optimizer", [keras.optimizers.SGD(0.1), keras.optimizers.AdamW(0.1)])
def test_other_optimizers_are_left_alone(optimizer: keras.optimizers.Optimizer) -> None:
    fuse_sgd(optimizer)
    assert "update_step" not in vars(optimizer)
