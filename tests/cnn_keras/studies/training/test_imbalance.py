from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.studies.training.imbalance import (
    class_sizes,
    imbalanced_indices,
    write_imbalanced,
)


def test_sizes_fall_by_a_constant_factor() -> None:
    sizes = class_sizes(np.full(10, 5_500), 50)
    assert sizes[0] == 50 * sizes[-1] == 5_500
    np.testing.assert_allclose(sizes[1:] / sizes[:-1], 50 ** (-1 / 9), rtol=0.01)


@pytest.mark.parametrize(
    ("available", "imbalance", "expected"),
    [([7, 9], 1, [7, 7]), ([40, 8, 40], 4, [8, 4, 2]), ([9, 9], 100, [9, 1])],
)
def test_no_class_has_more_images_than_there_are_or_none(
    available: list[int], imbalance: float, expected: list[int]
) -> None:
    assert class_sizes(np.array(available), imbalance).tolist() == expected


def test_a_sample_depends_on_its_seed() -> None:
    labels = np.tile([0, 1, 2], 50)
    sizes = np.array([30, 10, 2])
    chosen = imbalanced_indices(labels, sizes, seed=3)
    assert np.bincount(labels[chosen]).tolist() == sizes.tolist()
    assert len(np.unique(chosen)) == 42
    np.testing.assert_array_equal(chosen, imbalanced_indices(labels, sizes, seed=3))
    assert set(chosen) != set(imbalanced_indices(labels, sizes, seed=4))
    assert set(imbalanced_indices(labels, sizes // 2, seed=3)) < set(chosen)


def test_only_the_training_images_are_imbalanced(tmp_path: Path) -> None:
    digits = datasets.load("digits")
    file = tmp_path / "digits.npz"
    write_imbalanced(digits, 10, 1, file)
    found = datasets.load(f"npz:{file}")
    sizes = class_sizes(np.bincount(digits.train.labels), 10)
    assert np.bincount(found.train.labels).tolist() == sizes.tolist()
    originals = {image.tobytes() for image in digits.train.images}
    assert {image.tobytes() for image in found.train.images} <= originals
    for name in ("validation", "test"):
        np.testing.assert_array_equal(found.split(name).images, digits.split(name).images)
        np.testing.assert_array_equal(found.split(name).labels, digits.split(name).labels)
    assert found.classes == digits.classes
    before = file.read_bytes()
    write_imbalanced(digits, 10, 1, file)
    assert file.read_bytes() == before
