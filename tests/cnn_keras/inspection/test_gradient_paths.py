from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.inspection.gradient_paths import (
    central_interval,
    path_counts,
    path_gradient_norms,
    path_gradients,
)
from cnn_keras.inspection.gradients import gradient
from cnn_keras.inspection.surgery import ModularNetwork, split_into_modules
from cnn_keras.models.shortcuts import Shortcut
from tests.fixtures.small_networks import with_random_normalization

IMAGES = np.random.default_rng(0).normal(size=(3, 12, 12, 2)).astype(np.float32)
LABELS = np.array([0, 1, 2])


def small(shortcut: Shortcut = "A") -> keras.Model:
    """Three modules, two of which change the shape."""
    options = {"depth": 8, "shortcut": shortcut}
    return with_random_normalization(
        cnn_keras.build("resnet20", IMAGES.shape[1:], 3, classifier_activation=None, **options)
    )


def gradient_along(network: ModularNetwork, *path: bool) -> np.ndarray:
    return path_gradients(network, IMAGES, LABELS, np.tile(path, (len(IMAGES), 1)))


def whole_gradient(network: ModularNetwork) -> np.ndarray:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    def of_maps(x: keras.KerasTensor) -> keras.KerasTensor:
        for module in network.modules:
            x = module(x)
        return loss(LABELS, network.head(x))

    return gradient(of_maps, keras.ops.convert_to_numpy(network.stem(IMAGES)))


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_the_gradients_along_all_paths_are_the_gradient(shortcut: Shortcut) -> None:
    network = split_into_modules(small(shortcut))
    parts = [gradient_along(network, *path) for path in product((False, True), repeat=3)]
    assert all(np.abs(part).max() > 0 for part in parts)
    expected = whole_gradient(network)
    # Sums of float32 in another order.
    np.testing.assert_allclose(sum(parts), expected, atol=1e-5 * np.abs(expected).max())


def test_the_path_through_no_branch_is_the_one_through_shortcuts() -> None:
    model = small()
    for layer in model.layers:
        if layer.name.endswith("_b_bn"):  # the last layer of a branch: blocks its gradient
            layer.gamma.assign(keras.ops.zeros_like(layer.gamma))
    network = split_into_modules(model)
    np.testing.assert_allclose(
        gradient_along(network, False, False, False), whole_gradient(network), atol=1e-6
    )
    assert not gradient_along(network, False, True, False).any()


def test_each_image_has_its_own_path() -> None:
    network = split_into_modules(small())
    paths = np.array([[True, False, False], [False, True, True], [True, True, True]])
    found = path_gradients(network, IMAGES, LABELS, paths)
    for index, path in enumerate(paths):
        np.testing.assert_allclose(
            found[index], gradient_along(network, *path)[index], rtol=1e-4, atol=1e-6
        )


def test_norms_are_of_random_paths_of_each_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_keras.inspection.gradient_paths.BATCH_SIZE", 2)
    network = split_into_modules(small())
    found = path_gradient_norms(network, IMAGES, LABELS, seed=0)
    assert found.shape == (3, 4)

    def norms(*path: bool) -> np.ndarray:
        return np.linalg.norm(gradient_along(network, *path).reshape(3, -1), axis=1)

    np.testing.assert_allclose(found[:, 0], norms(False, False, False), rtol=1e-4)
    np.testing.assert_allclose(found[:, 3], norms(True, True, True), rtol=1e-4)
    short = np.stack([norms(*(index == one for index in range(3))) for one in range(3)])
    for image in range(3):
        assert np.isclose(found[image, 1], short[:, image], rtol=1e-4).sum() == 1
    np.testing.assert_array_equal(found, path_gradient_norms(network, IMAGES, LABELS, seed=0))
    assert (found != path_gradient_norms(network, IMAGES, LABELS, seed=1))[:, 1:3].any()


def test_path_counts_are_binomial() -> None:
    assert path_counts(4) == [1, 4, 6, 4, 1]
    assert sum(path_counts(54)) == 2**54


def test_a_central_interval_leaves_out_equal_parts() -> None:
    shares = np.full(40, 1 / 40)
    assert central_interval(shares, 0.88) == (2, 37)
    assert central_interval(np.array([0.0, 1.0, 0.0]), 0.95) == (1, 1)
