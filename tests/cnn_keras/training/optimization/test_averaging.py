from __future__ import annotations

from dataclasses import replace

import keras
import numpy as np
import pytest
from numpy.typing import NDArray

from cnn_keras.data.augmentation.augment import Augmentation
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.training.optimization.averaging import WeightAverage, statistics_batches
from cnn_keras.training.optimization.compile import compile_model
from cnn_keras.training.recipes import CIFAR_RESNET

IMAGES = np.random.default_rng(0).normal(size=(12, 4)).astype("float32")
LABELS = np.arange(12) % 3
UNCHANGED = Augmentation()


@pytest.fixture
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    compile_model(model, replace(CIFAR_RESNET, epochs=2, ema_momentum=0.9), 3)
    return model


def averages(model: keras.Model) -> list[np.ndarray]:
    return [np.array(v) for v in model.optimizer.variables if v.name.endswith("average")]


def test_the_average_is_in_the_model_for_a_while(model: keras.Model) -> None:
    model.train_on_batch(IMAGES[:6], LABELS[:6])
    model.train_on_batch(IMAGES[6:], LABELS[6:])
    before = model.get_weights()
    with WeightAverage(model, []).in_network():
        within = model.get_weights()
    for weight, average, last, restored in zip(
        before, averages(model), within, model.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(last, average)
        np.testing.assert_array_equal(restored, weight)
        assert not np.array_equal(average, weight)


def test_a_model_without_an_average_keeps_its_weights(model: keras.Model) -> None:
    compile_model(model, CIFAR_RESNET, 3)
    model.train_on_batch(IMAGES, LABELS)
    before = model.get_weights()
    with WeightAverage(model, []).in_network():
        within = model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(before, within, strict=True))


def test_the_average_is_validated(model: keras.Model) -> None:
    data = {"x": IMAGES, "y": LABELS, "batch_size": 4, "shuffle": False, "verbose": 0}
    average = WeightAverage(model, [])
    history = model.fit(**data, epochs=2, validation_data=(IMAGES, LABELS), callbacks=[average])
    # `fit` leaves the average in the model at its end.
    found = model.evaluate(IMAGES, LABELS, verbose=0, return_dict=True)
    assert history.history["val_loss"][-1] == pytest.approx(found["loss"], rel=1e-6)


def test_the_statistics_of_batch_normalization_are_those_of_the_average() -> None:
    keras.utils.set_random_seed(0)
    layers = keras.layers
    model = keras.Sequential([keras.Input((4,)), layers.Dropout(0.5), layers.Dense(5)])
    normalization = layers.BatchNormalization(momentum=0.9)
    for layer in (normalization, layers.Dense(3, activation="softmax")):
        model.add(layer)
    compile_model(model, replace(CIFAR_RESNET, epochs=2, ema_momentum=0.9), 3)
    for _ in range(3):
        model.train_on_batch(IMAGES, LABELS)
    before = [np.array(variable) for variable in model.variables]
    average = WeightAverage(model, [(IMAGES[:8], LABELS[:8]), (IMAGES[8:], LABELS[8:])])
    inputs: list[np.ndarray] = []
    with pytest.MonkeyPatch.context() as patch:
        call = normalization.call
        patch.setattr(
            normalization, "call", lambda x, **kw: (inputs.append(np.array(x)), call(x, **kw))[1]
        )
        with average.in_network():
            kernel = np.array(model.layers[1].kernel)
            found = np.array(normalization.moving_mean), np.array(normalization.moving_variance)
    every = np.concatenate(inputs)
    assert len(every) == len(IMAGES)
    np.testing.assert_allclose(found, (every.mean(axis=0), every.var(axis=0)), rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(kernel, averages(model)[0])
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(np.array(variable), value)
    assert normalization.momentum == 0.9

    # They are the same each time, and computed again after further training only.
    with average.in_network(), WeightAverage(model, average.batches).in_network():
        np.testing.assert_array_equal(np.array(normalization.moving_mean), found[0])
    assert len(inputs) == 2
    model.train_on_batch(IMAGES, LABELS)
    with average.in_network():
        assert not np.array_equal(np.array(normalization.moving_mean), found[0])


def test_statistics_are_computed_from_a_sample_in_random_order() -> None:
    labels = np.repeat([0, 1], 1000)
    images = np.repeat(labels.astype(np.uint8), 4).reshape(2000, 2, 2, 1)
    found = statistics_images(Split(images, labels), UNCHANGED)[:, 0, 0, 0]
    assert np.bincount(found.astype(int)).tolist() == [512, 512]
    assert 0.4 < found[:256].mean() < 0.6


@pytest.mark.parametrize(
    ("augmentation", "mixing", "expected"),
    [
        (UNCHANGED, {}, {0, 100}),
        (Augmentation(shift=0.5), {}, {0, 100}),
        (Augmentation(random_erasing=1.0), {}, None),
        (UNCHANGED, {"mixup": 1.0}, None),
        (UNCHANGED, {"cutmix": 1.0}, {0, 100}),
    ],
)
def test_statistics_are_those_of_images_as_they_are_in_training(
    augmentation: Augmentation, mixing: dict[str, float], expected: set[int] | None
) -> None:
    """They were computed without augmentation, which cost 8 points of accuracy with erasing."""
    split = Split(
        np.repeat(np.uint8([0, 100]), 50 * 16).reshape(100, 4, 4, 1), np.arange(100) // 50
    )
    found = statistics_images(split, augmentation, **mixing)
    again = statistics_images(split, augmentation, **mixing)
    np.testing.assert_array_equal(found, again)
    assert len(found) == 100
    uniform = np.mean(np.ptp(found, axis=(1, 2, 3)) == 0)
    changes_within = augmentation.shift or augmentation.random_erasing or "cutmix" in mixing
    assert (uniform < 0.8) if changes_within else (uniform == 1)
    values = set(np.unique(found).tolist())
    assert values == expected if expected else len(values) > 10


def statistics_images(
    split: Split, augmentation: Augmentation, **mixing: float
) -> NDArray[np.float32]:
    preprocessing = Preprocessing(*split.images.shape[1:], (0.0,), (1.0,))
    recipe = replace(CIFAR_RESNET, **mixing)  # type: ignore[arg-type]
    batches = statistics_batches(split, preprocessing, augmentation, recipe, seed=0)
    return np.concatenate([np.array(images) for images, _ in batches])
