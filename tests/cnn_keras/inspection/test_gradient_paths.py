from __future__ import annotations

from itertools import product

import keras
import numpy as np
import pytest

import cnn_keras
from cnn_keras.blocks import Shortcut
from cnn_keras.inspection.gradient_paths import central, counts, gradients_along, magnitudes
from cnn_keras.inspection.gradients import gradient
from cnn_keras.inspection.surgery import Chain, cut
from tests.fixtures.small_networks import with_random_normalization

IMAGES = np.random.default_rng(0).normal(size=(3, 12, 12, 2)).astype(np.float32)
LABELS = np.array([0, 1, 2])


def small(shortcut: Shortcut = "A") -> keras.Model:
    """Three modules, of which two change the shape."""
    options = {"depth": 8, "shortcut": shortcut}
    return with_random_normalization(
        cnn_keras.build("resnet20", IMAGES.shape[1:], 3, classifier_activation=None, **options)
    )


def along(chain: Chain, *path: bool) -> np.ndarray:
    return gradients_along(chain, IMAGES, LABELS, np.tile(path, (len(IMAGES), 1)))


def ordinary(chain: Chain) -> np.ndarray:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction="sum")

    def of_maps(x: keras.KerasTensor) -> keras.KerasTensor:
        for module in chain.modules:
            x = module(x)
        return loss(LABELS, chain.after(x))

    return gradient(of_maps, keras.ops.convert_to_numpy(chain.before(IMAGES)))


@pytest.mark.parametrize("shortcut", ["A", "B"])
def test_the_gradients_along_all_paths_are_the_gradient(shortcut: Shortcut) -> None:
    chain = cut(small(shortcut))
    parts = [along(chain, *path) for path in product((False, True), repeat=3)]
    assert all(np.abs(part).max() > 0 for part in parts)
    expected = ordinary(chain)
    # Sums of float32 in another order.
    np.testing.assert_allclose(sum(parts), expected, atol=1e-5 * np.abs(expected).max())


def test_what_comes_through_no_branch_is_what_comes_around_them() -> None:
    model = small()
    for layer in model.layers:
        if layer.name.endswith("_b_bn"):  # of a branch's last layer: nothing comes through it
            layer.gamma.assign(keras.ops.zeros_like(layer.gamma))
    chain = cut(model)
    np.testing.assert_allclose(along(chain, False, False, False), ordinary(chain), atol=1e-6)
    assert not along(chain, False, True, False).any()


def test_each_image_has_its_own_path() -> None:
    chain = cut(small())
    paths = np.array([[True, False, False], [False, True, True], [True, True, True]])
    found = gradients_along(chain, IMAGES, LABELS, paths)
    for place, path in enumerate(paths):
        np.testing.assert_allclose(found[place], along(chain, *path)[place], rtol=1e-4, atol=1e-6)


def test_magnitudes_are_of_random_paths_of_each_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnn_keras.inspection.gradient_paths.BATCH_SIZE", 2)
    chain = cut(small())
    found = magnitudes(chain, IMAGES, LABELS, seed=0)
    assert found.shape == (3, 4)

    def norms(*path: bool) -> np.ndarray:
        return np.linalg.norm(along(chain, *path).reshape(3, -1), axis=1)

    np.testing.assert_allclose(found[:, 0], norms(False, False, False), rtol=1e-4)
    np.testing.assert_allclose(found[:, 3], norms(True, True, True), rtol=1e-4)
    short = np.stack([norms(*(place == one for place in range(3))) for one in range(3)])
    for image in range(3):
        assert np.isclose(found[image, 1], short[:, image], rtol=1e-4).sum() == 1
    np.testing.assert_array_equal(found, magnitudes(chain, IMAGES, LABELS, seed=0))
    assert (found != magnitudes(chain, IMAGES, LABELS, seed=1))[:, 1:3].any()


def test_paths_are_binomial() -> None:
    assert counts(4) == [1, 4, 6, 4, 1]
    assert sum(counts(54)) == 2**54


def test_central_lengths_leave_out_as_much_on_each_side() -> None:
    shares = np.full(40, 1 / 40)
    assert central(shares, 0.88) == (2, 37)
    assert central(np.array([0.0, 1.0, 0.0]), 0.95) == (1, 1)
