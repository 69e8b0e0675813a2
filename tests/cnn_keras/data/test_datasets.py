from __future__ import annotations

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.errors import UsageError


def test_digits_are_split_without_overlap() -> None:
    digits = datasets.load("digits")
    counts = [len(split.labels) for split in (digits.train, digits.validation, digits.test)]
    assert counts == [1_257, 180, 360]
    everything = np.concatenate(
        [split.images for split in (digits.train, digits.validation, digits.test)]
    ).reshape(1_797, -1)
    assert everything.shape[1] == 32 * 32
    from sklearn.datasets import load_digits

    # The scans themselves repeat this often; a split that overlapped would repeat more.
    assert len(np.unique(everything, axis=0)) == len(np.unique(load_digits().data, axis=0))


def test_splits_are_the_same_every_time_and_stratified() -> None:
    first, second = datasets.load("digits"), datasets.load("digits")
    for name in ("train", "validation", "test"):
        np.testing.assert_array_equal(first.split(name).images, second.split(name).images)
    share = np.bincount(first.validation.labels) / 180
    overall = np.bincount(first.train.labels) / 1_257
    assert abs(share - overall).max() < 0.01


def test_fewer_validation_images_are_some_of_the_same() -> None:
    digits, fewer = datasets.load("digits"), datasets.load("digits", num_validation=20)
    assert len(fewer.train.labels) == 1_257 + 160
    np.testing.assert_array_equal(np.bincount(fewer.validation.labels), np.full(10, 2))
    held_out = {image.tobytes() for image in digits.validation.images}
    assert held_out >= {image.tobytes() for image in fewer.validation.images}
    np.testing.assert_array_equal(fewer.test.images, digits.test.images)


def test_unknown_data_set() -> None:
    with pytest.raises(UsageError, match="Did you mean 'cifar100'"):
        datasets.load("cifar1000")
