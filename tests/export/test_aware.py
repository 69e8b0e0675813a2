from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import export
from cnn_keras.data import Split
from cnn_keras.errors import UsageError
from cnn_keras.preprocessing import Preprocessing
from cnn_keras.recipes import Recipe
from export.aware import CLUSTERS, SPARSITY, Tuning, tune
from export.recipes import Step, recipe
from export.verify import verify

from .conftest import Trained


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    digits = load_digits()
    pixels = digits.images[:1280, :, :, np.newaxis].astype(np.uint8)
    return Tuning(
        Split(pixels, digits.target[:1280]),
        Preprocessing(8, 8, 1, (8.0,), (8.0,)),
        Recipe(0.05, 0.9, 1e-4, 64, 5, (0.5,), 0.1),
        flip=False,
        seed=0,
        epochs=2,
    )


def kernels(model: keras.Model) -> list[NDArray[Any]]:
    kinds = (layers.Conv2D, layers.Dense)
    return [np.asarray(layer.kernel) for layer in model.layers if isinstance(layer, kinds)]


def accuracy(model: keras.Model, trained: Trained) -> float:
    answers = model.predict(trained.images, verbose=0).argmax(axis=1)
    return float((answers == trained.labels).mean())


def tuned(trained: Trained, tuning: Tuning, *steps: Step) -> keras.Model:
    original = [weight.copy() for weight in trained.model.get_weights()]
    model = trained.model
    for at, step in enumerate(steps):
        done: list[None] = []
        model = tune(model, step, tuning, lambda: done.append(None), steps[:at])  # noqa: B023
        assert len(done) == tuning.num_steps == 40
    for old, now in zip(original, trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    lost = accuracy(trained.model, trained) - accuracy(model, trained)
    assert lost < (0.08 if "pruned" in steps else 0.02)  # so few steps do not mend a pruned network
    return model


def levels(kernel: NDArray[Any]) -> int:
    """Return how many values a kernel has, at most, in a channel."""
    return max(len(np.unique(channel)) for channel in np.moveaxis(kernel, -1, 0))


def test_aware_weights_are_what_an_8_bit_file_holds(trained: Trained, tuning: Tuning) -> None:
    model = tuned(trained, tuning, "aware")
    for kernel in kernels(model)[:-1]:  # the dense layer has one range for all channels
        steps = kernel / (np.abs(kernel).max(axis=(0, 1, 2)) / 127)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    static = export.quantize(export.convert(model), "static_wi8_ai8", trained.calibration)
    reference = model.predict(trained.images, verbose=0)
    verdict = verify(static, reference, trained.images, trained.labels, recipe("static_wi8_ai8"))
    assert verdict.accepted
    assert export.audit(static).partitions == 1


def test_pruned_weights_are_zero(trained: Trained, tuning: Tuning) -> None:
    for kernel in kernels(tuned(trained, tuning, "pruned")):
        assert (kernel == 0).mean() == pytest.approx(SPARSITY, abs=0.01)


def test_two_of_four_weights_are_zero(trained: Trained, tuning: Tuning) -> None:
    for kernel in kernels(tuned(trained, tuning, "pruned_2_4"))[1:]:  # the first sees one channel
        groups = kernel.reshape(-1, kernel.shape[-1]).T.reshape(-1, 4)
        assert ((groups == 0).sum(axis=1) >= 2).all()


def test_clustered_weights_share_their_values(trained: Trained, tuning: Tuning) -> None:
    for kernel in kernels(tuned(trained, tuning, "clustered")):
        assert len(np.unique(kernel)) <= CLUSTERS


@pytest.mark.slow
@pytest.mark.parametrize("steps", [("pruned", "aware"), ("clustered", "aware")])
def test_aware_training_keeps_what_was_before_it(
    trained: Trained, tuning: Tuning, steps: Sequence[Step]
) -> None:
    for kernel in kernels(tuned(trained, tuning, *steps)):
        if steps[0] == "pruned":
            assert (kernel == 0).mean() >= SPARSITY - 0.01
        else:
            assert levels(kernel) <= CLUSTERS


def test_what_the_toolkit_cannot_take_is_said(trained: Trained, tuning: Tuning) -> None:
    image = keras.Input((8, 8, 1))
    scores = ops.softmax(ops.reshape(ops.sum(image, axis=-1), (-1, 64))[:, :10])
    with pytest.raises(UsageError, match="'empty' cannot be aware: "):
        tune(keras.Model(image, scores, name="empty"), "aware", tuning)
