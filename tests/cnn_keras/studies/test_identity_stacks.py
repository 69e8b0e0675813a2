from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.inspection.surgery import split_into_modules
from cnn_keras.studies.identity_stacks import (
    FORMS,
    dirac,
    distance,
    folded_kernels,
    last_module_inputs,
    peak,
    stack,
    train_stack,
)
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_finished_run
from tests.fixtures.published_weights import randomize

CHANNELS = 8


def maps(count: int, seed: int = 0) -> Any:
    """Rectified maps with structure, like those of a network."""
    rng = np.random.default_rng(seed)
    small = rng.normal(size=(count, 2, 2, CHANNELS))
    return np.maximum(np.kron(small, np.ones((1, 3, 3, 1))), 0).astype(np.float32)


def set_modules(model: keras.Model, kernel: Any, scale: float) -> None:
    """Give all convolutions this kernel, and second normalizations this scale."""
    for layer in model.layers:
        if layer.name.endswith("_bn"):
            zero, one = np.zeros(CHANNELS), np.ones(CHANNELS)
            root = np.sqrt(1 + layer.epsilon)
            second = layer.name.endswith("_b_bn")
            layer.set_weights([one * root * (scale if second else 1), zero, zero, one])
        elif layer.get_weights():
            layer.set_weights([kernel])


def test_a_dirac_kernel_in_all_layers_is_the_identity_of_plain_stacks() -> None:
    model = stack((6, 6, CHANNELS), 4, "plain")
    assert sum(isinstance(layer, keras.layers.Conv2D) for layer in model.layers) == 4
    set_modules(model, dirac(CHANNELS), 1)
    np.testing.assert_allclose(model.predict_on_batch(maps(3)), maps(3), atol=1e-6)
    kernels = folded_kernels(model)
    assert len(kernels) == 4
    for kernel in kernels.values():
        assert distance(kernel, dirac(CHANNELS)) == pytest.approx(0, abs=1e-6)
        assert distance(kernel, 0) == pytest.approx(1, abs=1e-6)


def test_a_zero_kernel_before_the_addition_is_the_identity_of_residual_stacks() -> None:
    model = stack((6, 6, CHANNELS), 4, "residual")
    kernel = np.random.default_rng(0).normal(size=(3, 3, CHANNELS, CHANNELS))
    set_modules(model, kernel, 0)
    np.testing.assert_allclose(model.predict_on_batch(maps(3)), maps(3), atol=1e-6)
    norms = {name: distance(kernel, 0) for name, kernel in folded_kernels(model).items()}
    assert norms.pop("module1_b") == norms.pop("module2_b") == 0
    assert min(norms.values()) > 1


def test_a_folded_kernel_includes_the_normalization() -> None:
    image = keras.Input((6, 6, CHANNELS))
    y = keras.layers.Conv2D(5, 3, padding="same", use_bias=False, name="conv")(image)
    model = randomize(keras.Model(image, keras.layers.BatchNormalization(name="conv_bn")(y)))
    (kernel,) = folded_kernels(model).values()
    found = keras.ops.conv(maps(2), kernel, padding="same")
    zero = model.predict_on_batch(np.zeros_like(maps(2)))
    np.testing.assert_allclose(found, model.predict_on_batch(maps(2)) - zero, atol=1e-5)


def test_a_peak_does_not_depend_on_the_order_of_channels() -> None:
    assert peak(dirac(4)[..., [2, 0, 3, 1]] * 7) == 1
    assert peak(np.ones((3, 3, 4, 4), np.float32)) == pytest.approx(1 / 36)
    assert peak(np.zeros((3, 3, 4, 4), np.float32)) == 0


def test_residual_stacks_learn_the_identity_better_than_plain_ones() -> None:
    found = {
        form: train_stack(maps(64), maps(16, 1), layers=2, form=form, decay=0.01, steps=64, seed=0)
        for form in FORMS
    }
    for form, result in found.items():
        assert len(result["errors"]) == 64 / 16, form
        assert result["errors"][-1] < result["errors"][0] / 2
    assert found["residual"]["errors"][-1] < found["plain"]["errors"][-1] / 10
    assert found["residual"]["held_out"] < found["plain"]["held_out"] / 10
    assert found["residual"]["distance"] < 0.5 < 1 < found["plain"]["distance"]


def test_maps_are_the_inputs_of_the_last_module(tmp_path: Path) -> None:
    training = Training.of("resnet20", "digits", recipe={}, options={"depth": 14}, train_images=40)
    run = write_finished_run(training, 1, tmp_path, [0.5])
    train, held_out = last_module_inputs(run)
    assert (train.shape, held_out.shape) == ((40, 8, 8, 64), (180, 8, 8, 64))
    assert train.var(axis=(0, 1, 2)).mean() == pytest.approx(1, rel=1e-4)
    assert train.min() == held_out.min() == 0
    network = split_into_modules(run.model())
    x = run.preprocessing(run.dataset().validation.images)
    for part in (network.stem, *(module.complete for module in network.modules[:-1])):
        x = np.array(part(x))
    ratios = held_out[x > 0.1] / x[x > 0.1]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-3)
