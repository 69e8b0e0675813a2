from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers, ops
from numpy.typing import NDArray

import export
from cnn_keras.errors import UsageError
from export.conversion.compression import (
    CLUSTERS,
    SPARSITY,
    BestWeights,
    TrainingSetup,
    train_further,
)
from export.recipes import Technique, recipe
from export.verification.verify import verify
from tests.fixtures.trained_network import Trained


def kernels(model: keras.Model) -> list[NDArray[Any]]:
    kinds = (layers.Conv2D, layers.Dense)
    return [np.asarray(layer.kernel) for layer in model.layers if isinstance(layer, kinds)]


def accuracy(model: keras.Model, trained: Trained) -> float:
    answers = model.predict(trained.images, verbose=0).argmax(axis=1)
    return float((answers == trained.labels).mean())


def train_by(trained: Trained, setup: TrainingSetup, *techniques: Technique) -> keras.Model:
    original = [weight.copy() for weight in trained.model.get_weights()]
    model = trained.model
    for index, technique in enumerate(techniques):
        done: list[None] = []
        previous = techniques[:index]
        model = train_further(model, technique, setup, partial(done.append, None), previous)
        assert len(done) == setup.num_steps == 40
    for old, now in zip(original, trained.model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    lost = accuracy(trained.model, trained) - accuracy(model, trained)
    assert lost < (0.08 if "pruned" in techniques else 0.02)  # a pruned network needs more steps
    return model


def levels(kernel: NDArray[Any]) -> int:
    """Return the greatest number of different values in a channel of a kernel."""
    return max(len(np.unique(channel)) for channel in np.moveaxis(kernel, -1, 0))


def test_aware_weights_are_what_an_8_bit_file_holds(trained: Trained, setup: TrainingSetup) -> None:
    model = train_by(trained, setup, "aware")
    for kernel in kernels(model)[:-1]:  # the dense layer has one range for all channels
        steps = kernel / (np.abs(kernel).max(axis=(0, 1, 2)) / 127)
        np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    static = export.quantize(export.convert(model), "static_wi8_ai8", trained.calibration)
    reference = model.predict(trained.images, verbose=0)
    verdict = verify(static, reference, trained.images, trained.labels, recipe("static_wi8_ai8"))
    assert verdict.accepted
    assert export.audit(static).partitions == 1


def test_pruned_weights_are_zero(trained: Trained, setup: TrainingSetup) -> None:
    for kernel in kernels(train_by(trained, setup, "pruned")):
        assert (kernel == 0).mean() == pytest.approx(SPARSITY, abs=0.01)


def test_two_of_four_weights_are_zero(trained: Trained, setup: TrainingSetup) -> None:
    for kernel in kernels(train_by(trained, setup, "pruned_2_4"))[1:]:  # the first sees one channel
        groups = kernel.reshape(-1, kernel.shape[-1]).T.reshape(-1, 4)
        assert ((groups == 0).sum(axis=1) >= 2).all()


@pytest.mark.parametrize("rate", [0.05, 1e4])
def test_clustered_weights_share_their_values(
    trained: Trained, setup: TrainingSetup, rate: float
) -> None:
    """A rate that ruins the network leaves the clusters as they were before the training."""
    setup = setup._replace(recipe=replace(setup.recipe, learning_rate=rate))
    for kernel in kernels(train_by(trained, setup, "clustered")):
        assert len(np.unique(kernel)) <= CLUSTERS


@pytest.mark.parametrize(
    ("rates", "min_steps", "accurate"),
    [
        ([0.1, 0.1, -100.0], 0, True),
        ([0.1, 0.1, -100.0], 1, True),
        ([0.1, 0.1, -100.0], 40, True),  # of 20 in each epoch
        ([0.1, 0.1, -100.0], 41, False),  # more than there are
        ([-100.0, -100.0, -100.0], 0, True),  # the initial weights
        ([-100.0, -100.0, -100.0], 1, False),
    ],
)
def test_the_weights_of_the_best_epoch_are_restored(
    setup: TrainingSetup, rates: Sequence[float], min_steps: int, accurate: bool
) -> None:
    images = setup.preprocessing(setup.train.images)
    flat = tf_keras.Sequential(
        [tf_keras.layers.Flatten(input_shape=(8, 8, 1)), tf_keras.layers.Dense(10, "softmax")]
    )
    kernel = np.stack([images[setup.train.labels == k].mean(0).ravel() for k in range(10)], 1)
    flat.set_weights([kernel, -0.5 * np.square(kernel).sum(axis=0)])  # the nearest mean
    flat.compile(tf_keras.optimizers.SGD(), "sparse_categorical_crossentropy")
    assert setup.validation
    best = BestWeights(setup._replace(epochs=3), setup.validation, min_steps)
    schedule = tf_keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    flat.fit(
        images, setup.train.labels, batch_size=64, epochs=3, callbacks=[schedule, best], verbose=0
    )
    answers = flat.predict(setup.preprocessing(setup.validation.images), verbose=0)
    right = (answers.argmax(axis=1) == setup.validation.labels).mean()
    assert bool(right > 0.7) is accurate


@pytest.mark.slow
@pytest.mark.parametrize("techniques", [("pruned", "aware"), ("clustered", "aware")])
def test_aware_training_preserves_previous_techniques(
    trained: Trained, setup: TrainingSetup, techniques: Sequence[Technique]
) -> None:
    for kernel in kernels(train_by(trained, setup, *techniques)):
        if techniques[0] == "pruned":
            assert (kernel == 0).mean() >= SPARSITY - 0.01
        else:
            assert levels(kernel) <= CLUSTERS


def test_an_unsupported_model_is_reported(trained: Trained, setup: TrainingSetup) -> None:
    image = keras.Input((8, 8, 1))
    scores = ops.softmax(ops.reshape(ops.sum(image, axis=-1), (-1, 64))[:, :10])
    with pytest.raises(UsageError, match="'empty' cannot be aware: "):
        train_further(keras.Model(image, scores, name="empty"), "aware", setup)
