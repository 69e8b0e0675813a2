from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tf_keras
from keras import layers, ops
from numpy.typing import NDArray
from sklearn.datasets import load_digits

import export
from cnn_keras.data.datasets import Dataset
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import UsageError
from cnn_keras.training.recipes import EXTERNAL, RECIPES, Recipe
from cnn_keras.training.run_folder import Run
from export import pipeline
from export.conversion.compression import CLUSTERS, SPARSITY, Best, Tuning, tune
from export.pipeline import Source
from export.recipes import Technique, recipe
from export.verification.verify import verify
from tests.fixtures.trained_network import Trained


@pytest.fixture(scope="module")
def tuning() -> Tuning:
    digits = load_digits()
    pixels = digits.images[..., np.newaxis].astype(np.uint8)
    return Tuning(
        Split(pixels[:1280], digits.target[:1280]),
        Preprocessing(8, 8, 1, (8.0,), (8.0,)),
        Recipe(0.05, 0.9, 1e-4, 64, 5, (0.5,), 0.1),
        flip=False,
        seed=0,
        epochs=2,
        validation=Split(pixels[1280:], digits.target[1280:]),
    )


def kernels(model: keras.Model) -> list[NDArray[Any]]:
    kinds = (layers.Conv2D, layers.Dense)
    return [np.asarray(layer.kernel) for layer in model.layers if isinstance(layer, kinds)]


def accuracy(model: keras.Model, trained: Trained) -> float:
    answers = model.predict(trained.images, verbose=0).argmax(axis=1)
    return float((answers == trained.labels).mean())


def tuned(trained: Trained, tuning: Tuning, *steps: Technique) -> keras.Model:
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


@pytest.mark.parametrize("rate", [0.05, 1e4])
def test_clustered_weights_share_their_values(
    trained: Trained, tuning: Tuning, rate: float
) -> None:
    """A rate that ruins the network leaves the clusters as they were before the training."""
    tuning = tuning._replace(recipe=replace(tuning.recipe, learning_rate=rate))
    for kernel in kernels(tuned(trained, tuning, "clustered")):
        assert len(np.unique(kernel)) <= CLUSTERS


@pytest.mark.parametrize(
    ("rates", "ready", "accurate"),
    [
        ([0.1, 0.1, -100.0], 0, True),
        ([0.1, 0.1, -100.0], 1, True),
        ([0.1, 0.1, -100.0], 40, True),  # steps, of 20 an epoch
        ([0.1, 0.1, -100.0], 41, False),  # not before the network is what it is trained for
        ([-100.0, -100.0, -100.0], 0, True),  # as it came
        ([-100.0, -100.0, -100.0], 1, False),
    ],
)
def test_the_best_epoch_is_kept(
    tuning: Tuning, rates: Sequence[float], ready: int, accurate: bool
) -> None:
    images = tuning.preprocessing(tuning.train.images)
    flat = tf_keras.Sequential(
        [tf_keras.layers.Flatten(input_shape=(8, 8, 1)), tf_keras.layers.Dense(10, "softmax")]
    )
    kernel = np.stack([images[tuning.train.labels == k].mean(0).ravel() for k in range(10)], 1)
    flat.set_weights([kernel, -0.5 * np.square(kernel).sum(axis=0)])  # the nearest mean
    flat.compile(tf_keras.optimizers.SGD(), "sparse_categorical_crossentropy")
    assert tuning.validation
    best = Best(tuning._replace(epochs=3), tuning.validation, ready)
    schedule = tf_keras.callbacks.LearningRateScheduler(lambda epoch: rates[epoch])
    flat.fit(
        images, tuning.train.labels, batch_size=64, epochs=3, callbacks=[schedule, best], verbose=0
    )
    answers = flat.predict(tuning.preprocessing(tuning.validation.images), verbose=0)
    right = (answers.argmax(axis=1) == tuning.validation.labels).mean()
    assert bool(right > 0.7) is accurate


@pytest.mark.slow
@pytest.mark.parametrize("steps", [("pruned", "aware"), ("clustered", "aware")])
def test_aware_training_keeps_what_was_before_it(
    trained: Trained, tuning: Tuning, steps: Sequence[Technique]
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


@pytest.mark.parametrize(
    ("config", "distorted", "mirrored"),
    [
        ({}, True, True),  # trained here
        ({"recipe": asdict(replace(RECIPES["nin"], flip=False))}, True, False),
        ({"adopted": {}, "recipe": asdict(EXTERNAL)}, False, False),
        ({"adopted": {}, "recipe": asdict(RECIPES["nin"])}, False, False),  # by an older version
        ({"imported": {}, "recipe": None}, False, False),
    ],
)
def test_images_are_distorted_where_their_network_was_trained_so(
    config: dict[str, Any], distorted: bool, mirrored: bool, tuning: Tuning, tmp_path: Path
) -> None:
    config = {"network": "nin", "recipe": asdict(RECIPES["nin"])} | config
    source = source_of(tuning, tmp_path, {k: v for k, v in config.items() if v is not None})
    for flip, expected in ((None, mirrored), (True, True), (False, False)):
        found = pipeline._tuning(source, None, flip)
        assert (found.flip, found.recipe.shift > 0) == (expected, distorted)
    digits = source._replace(dataset=source.dataset._replace(allows_flip=False))
    assert not pipeline._tuning(digits, None, True).flip  # a mirrored digit is none


@pytest.mark.parametrize("helps", [True, False])
def test_a_training_that_brings_nothing_is_not_used(
    trained: Trained, tuning: Tuning, helps: bool, tmp_path: Path
) -> None:
    """A network whose weights are shaken gains by training, and loses at a ruinous rate."""
    model = keras.models.clone_model(trained.model)
    random = np.random.default_rng(0)
    weights = trained.model.get_weights()
    shaken = [weight * random.normal(1, 0.5 * helps, weight.shape) for weight in weights]
    model.set_weights(shaken)
    source = source_of(tuning, tmp_path, {"network": "small"})._replace(model=model)
    recipe = replace(tuning.recipe, learning_rate=1.0 if helps else 1e4)
    tuning = tuning._replace(recipe=recipe, epochs=1)
    found, said = pipeline._tuned(source, ("aware",), tuning)
    about = json.loads((tmp_path / "tuned/aware.json").read_text())
    assert (about["after"] > about["before"]) is helps
    assert len(said) == (not helps)
    for line in said:
        assert "brought nothing over static_wi8_ai8, so the weights before it are kept" in line
        assert f"{about['before']:.2%} of the validation images right, {about['after']:.2%}" in line
    moved = [
        not np.array_equal(old, new) for old, new in zip(shaken, found.get_weights(), strict=True)
    ]
    assert any(moved) is helps
    again, repeated = pipeline._tuned(source, ("aware",), tuning)
    assert repeated == said
    for one, other in zip(found.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def source_of(tuning: Tuning, folder: Path, config: dict[str, Any]) -> Source:
    """Return a run that has seen the digits, without a model."""
    run = Run(folder)
    run.write_json("config.json", config)
    run.write_json("preprocessing.json", tuning.preprocessing.to_dict())
    assert tuning.validation
    splits = tuning.train, tuning.validation, tuning.validation
    dataset = Dataset("digits", *splits, tuple("0123456789"), allows_flip=True)
    return Source("small", None, run, dataset)
