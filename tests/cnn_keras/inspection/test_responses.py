from __future__ import annotations

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.inspection.responses import module_changes, response_deviations
from cnn_keras.inspection.surgery import split_into_modules
from tests.fixtures.published_weights import randomize


@pytest.fixture(scope="module")
def networks() -> dict[str, keras.Model]:
    build = {
        name: cnn_keras.build(name, (16, 16, 1), 5, depth=14) for name in ("resnet20", "plain20")
    }
    return {name: randomize(model) for name, model in build.items()}


IMAGES = np.random.default_rng(1).normal(size=(4, 16, 16, 1)).astype(np.float32)


def test_the_change_of_a_residual_module_is_its_branch(networks: dict[str, keras.Model]) -> None:
    found = module_changes(networks["resnet20"], IMAGES)
    chain = split_into_modules(networks["resnet20"])
    x, expected = chain.stem(IMAGES), {}
    for module in chain.modules:
        if not module.changes_shape:
            sizes = [np.linalg.norm(np.reshape(a, (4, -1)), axis=1) for a in (module.branch(x), x)]
            expected[module.row] = (sizes[0] / sizes[1]).mean()
        x = module(x)
    assert list(found) == ["conv2_1", "conv2_2", "conv3_2", "conv4_2"]
    assert found == pytest.approx(expected, rel=1e-4)


def test_the_change_of_a_plain_module_is_output_minus_input(
    networks: dict[str, keras.Model],
) -> None:
    plain = keras.models.clone_model(networks["plain20"])
    plain.set_weights(networks["plain20"].get_weights())
    for name in "ab":
        layer = plain.get_layer(f"conv3_2_{name}_bn")
        one, zero = np.ones(32), np.zeros(32)
        layer.set_weights([one * np.sqrt(1 + layer.epsilon), zero, zero, one])
        dirac = np.zeros((3, 3, 32, 32))
        dirac[1, 1] = np.eye(32)
        plain.get_layer(f"conv3_2_{name}").set_weights([dirac])
    found = module_changes(plain, IMAGES)
    assert found.pop("conv3_2") == pytest.approx(0, abs=1e-5)
    assert min(found.values()) > 0.1


def test_responses_are_normalized_and_not_rectified(networks: dict[str, keras.Model]) -> None:
    model = networks["resnet20"]
    found = response_deviations(model, IMAGES)
    assert list(found) == [
        "conv1",
        *(f"conv{s}_{i}_{c}" for s in (2, 3, 4) for i in (1, 2) for c in "ab"),
    ]
    normalization = model.get_layer("conv2_1_a_bn")
    maps = keras.Model(model.input, normalization.output)(IMAGES, training=False)
    assert found["conv2_1_a"] == pytest.approx(np.std(maps), rel=1e-4)
    assert np.min(maps) < 0
