from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from cnn_keras.data import datasets
from cnn_keras.data.augmentation.augment import Augmentation
from cnn_keras.data.augmentation.mixing import Mixing
from cnn_keras.data.loading.image_files import AnySplit, FileSplit
from cnn_keras.data.loading.share import WHOLE, Share
from cnn_keras.data.pipeline import (
    errors_of_files,
    evaluation_batches,
    inference_batch_size,
    label_probabilities,
    mixed_batches,
    training_batches,
)
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error
from tests.fixtures.image_folders import write

UNNORMALIZED = Preprocessing(8, 8, 1, (0.0,), (1.0,))


def test_every_epoch_shows_every_image_in_another_order() -> None:
    labels = np.arange(64, dtype=np.int64)
    images = np.zeros((64, 8, 8, 1), np.uint8)
    batches = training_batches(
        Split(images, labels), UNNORMALIZED, Augmentation(), batch_size=16, epochs=3, seed=1
    )
    order = np.concatenate([y.numpy() for _, y in batches]).reshape(3, 64)
    assert all(sorted(epoch) == list(range(64)) for epoch in order)
    assert not np.array_equal(order[0], order[1])


def augmented_batches(
    split: AnySplit,
    batch_size: int,
    epochs: int,
    first_epoch: int = 0,
    first_step: int = 0,
    share: Share = WHOLE,
) -> list[tuple[np.ndarray, np.ndarray]]:
    found = training_batches(
        split,
        UNNORMALIZED,
        Augmentation(1 / 8, flip=True, random_erasing=0.5),
        batch_size=batch_size,
        epochs=epochs,
        seed=1,
        first_epoch=first_epoch,
        first_step=first_step,
        share=share,
    )
    return list(found.as_numpy_iterator())


@pytest.mark.parametrize(("epoch", "step"), [(0, 0), (0, 3), (1, 0), (1, 2), (2, 4)])
def test_batches_start_anywhere(epoch: int, step: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 1), np.uint8)
    split = Split(images, np.arange(70, dtype=np.int64))

    rest = augmented_batches(split, 16, 3, epoch, step)
    undisturbed = augmented_batches(split, 16, 3)[4 * epoch + step :]
    assert len(rest) == 12 - 4 * epoch - step
    for (x, y), (expected_x, expected_y) in zip(rest, undisturbed, strict=True):
        np.testing.assert_array_equal(x, expected_x)
        np.testing.assert_array_equal(y, expected_y)


def test_processes_load_the_batches_of_one_process() -> None:
    images = np.random.default_rng(0).integers(0, 256, (70, 8, 8, 1), np.uint8)
    split = Split(images, np.arange(70, dtype=np.int64))
    first, second = (augmented_batches(split, 16, 2, share=Share(number, 2)) for number in (0, 1))
    for parts, (x, y) in zip(
        zip(first, second, strict=True), augmented_batches(split, 16, 2), strict=True
    ):
        np.testing.assert_array_equal(np.concatenate([part[0] for part in parts]), x)
        np.testing.assert_array_equal(np.concatenate([part[1] for part in parts]), y)


@pytest.fixture
def files(tmp_path: Path) -> FileSplit:
    """36 image files."""
    split = datasets.load(f"folder:{write(tmp_path / 'digits', count=17)}", shape=(8, 8, 1)).train
    assert isinstance(split, FileSplit)
    return split


def batches_of_files(files: FileSplit, step: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    return augmented_batches(files, 9, 2, *divmod(step, 4))


def test_batches_of_files_start_anywhere(files: FileSplit) -> None:
    undisturbed = batches_of_files(files)
    assert [x.shape for x, _ in undisturbed] == [(9, 8, 8, 1)] * 8
    for step in (3, 4, 6):
        rest = batches_of_files(files, step)
        assert len(rest) == 8 - step
        for (x, y), (expected_x, expected_y) in zip(rest, undisturbed[step:], strict=True):
            np.testing.assert_array_equal(x, expected_x)
            np.testing.assert_array_equal(y, expected_y)


def test_the_error_of_a_broken_file_is_raised_itself(files: FileSplit, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.touch()
    broken = files._replace(paths=(str(path), *files.paths[1:]))
    with pytest.raises(Error, match=f"^{path} is not an image"), errors_of_files():
        batches_of_files(broken)
    with pytest.raises(Error, match=f"^{path} is not an image"), errors_of_files():
        list(evaluation_batches(broken, UNNORMALIZED))


def test_evaluation_reads_files_in_order(files: FileSplit) -> None:
    ((x, y),) = evaluation_batches(files, UNNORMALIZED)
    np.testing.assert_array_equal(x, files.read())
    np.testing.assert_array_equal(y, files.labels)


def test_evaluation_keeps_the_order() -> None:
    labels = np.arange(300, dtype=np.int64)
    images = np.zeros((300, 8, 8, 1), np.uint8)
    batches = list(evaluation_batches(Split(images, labels), UNNORMALIZED))
    assert [len(y) for _, y in batches] == [256, 44]
    np.testing.assert_array_equal(np.concatenate([y.numpy() for _, y in batches]), labels)


def test_labels_become_probabilities_for_every_output() -> None:
    images, labels, weights = np.zeros((3, 8, 8, 1)), np.array([0, 2, 1]), np.ones(3)
    batches = tf.data.Dataset.from_tensors((images, {"main": labels, "other": labels}, weights))
    ((_, found, kept),) = label_probabilities(batches, 4, 0.2)
    assert list(found) == ["main", "other"]
    for smoothed in found.values():
        np.testing.assert_allclose(smoothed, np.eye(4)[labels] * 0.8 + 0.05, rtol=1e-6)
    np.testing.assert_array_equal(kept, weights)


def test_mixed_batches_depend_on_seed_and_step() -> None:
    images = np.random.default_rng(0).random((8, 4, 4, 1)).astype(np.float32)
    labels, weights = np.eye(8, dtype=np.float32), np.arange(1, 9, dtype=np.float32)
    batches = tf.data.Dataset.from_tensors((images, {"main": labels, "other": labels}, weights))

    def mixed(seed: int, steps: int, first_step: int = 0) -> list[np.ndarray]:
        found = list(mixed_batches(batches.repeat(steps), Mixing(1.0, 1.0), seed, first_step))
        for _, outputs, mixed_weights in found:
            np.testing.assert_array_equal(outputs["main"], outputs["other"])
            shares = outputs["main"].numpy() * mixed_weights.numpy()[:, None] / weights
            np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
            np.testing.assert_allclose(tf.reduce_sum(outputs["main"], axis=1), 1, rtol=1e-5)
            np.testing.assert_allclose(shares @ weights, mixed_weights, rtol=1e-5)
        return [x.numpy() for x, _, _ in found]

    first = mixed(0, 3)
    assert len({x.tobytes() for x in [*first, *mixed(1, 3)]}) == 6
    for resumed, undisturbed in zip(mixed(0, 2, 1), first[1:], strict=True):
        np.testing.assert_array_equal(resumed, undisturbed)


def test_batches_of_large_images_are_smaller() -> None:
    assert inference_batch_size(UNNORMALIZED) == 256
    assert inference_batch_size(Preprocessing(224, 224, 3, (0.0,) * 3, (1.0,) * 3)) == 41
    assert inference_batch_size(Preprocessing(4_000, 4_000, 1, (0.0,), (1.0,))) == 1
