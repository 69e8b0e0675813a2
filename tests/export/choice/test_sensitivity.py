from __future__ import annotations

import numpy as np
import pytest

import export
from export.choice import sensitivity
from export.choice.layers import Types, layers_of, mixed_recipe
from export.choice.sensitivity import divergence, sensitivities
from export.conversion.quantize import calibrate
from export.tflite.flatbuffer import parse
from export.tflite.interpreter import Interpreter
from tests.fixtures.trained_network import Trained


def test_the_simulation_agrees_with_files_of_one_rounded_layer(trained: Trained) -> None:
    layers = layers_of(parse(trained.float32))
    ranges = calibrate(trained.float32, trained.calibration)
    images, reference = trained.images[:64], trained.reference[:64]
    steps: list[None] = []
    found = sensitivities(
        trained.float32, layers, ranges, images, reference, lambda: steps.append(None)
    )
    assert len(steps) == 2 * len(layers)
    for at in range(len(layers)):
        types: Types = tuple("int4" if at == other else "float32" for other in range(len(layers)))
        content = export.quantize(trained.float32, mixed_recipe(layers, types), ranges)
        measured = divergence(reference, Interpreter(content)(images))
        assert found[at]["int4"] == pytest.approx(measured, rel=0.5)
        assert found[at]["float32"] == 0.0 < found[at]["int8"] < found[at]["int4"]


def test_divergence_is_zero_for_equal_probabilities_and_finite_for_opposite_ones() -> None:
    same = np.array([[0.2, 0.8]], np.float32)
    certain = np.array([[0.0, 1.0]], np.float32)
    assert divergence(same, same) == 0.0
    assert 1 < divergence(certain, certain[:, ::-1]) < 100


def test_slow_networks_are_measured_on_fewer_images(
    trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    layers = layers_of(parse(trained.float32))
    images = trained.images[:5]
    assert sensitivity.affordable_images(trained.float32, layers, images) == 256
    monkeypatch.setattr(sensitivity, "MAX_SECS", 0.0)
    assert sensitivity.affordable_images(trained.float32, layers, images) == 16
