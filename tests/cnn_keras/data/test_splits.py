from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from cnn_keras.data.splits import Split, hold_out, stratified_indices


@pytest.mark.parametrize("count", [1, 7, 10, 55, 100])
def test_stratified_gives_each_class_its_share(count: int) -> None:
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    chosen = stratified_indices(labels, count, seed=1)
    assert len(chosen) == len(set(chosen)) == count
    shares = np.bincount(labels[chosen], minlength=3) - count * np.array([0.5, 0.3, 0.2])
    assert abs(shares).max() < 1
    assert not np.array_equal(chosen, stratified_indices(labels, count, seed=2)) or count == 100


@pytest.mark.parametrize("count", [1, 4, 10, 12, 99])
@pytest.mark.parametrize(
    ("sizes", "classes"),
    [((12,), (-1,)), ((8, 4), (0, 1)), ((6, 6), (1, 0)), ((2, 2, 2, 2, 2, 2), range(6))],
    ids=["unlabeled", "two to one", "two", "six"],
)
def test_samples_have_all_classes(
    sizes: tuple[int, ...], classes: Sequence[int], count: int
) -> None:
    labels = np.repeat(classes, sizes)  # in order of class, as in a folder
    split = Split(np.arange(12, dtype=np.uint8).reshape(12, 1, 1, 1), labels)
    sample = split.sample(count)
    assert len(np.unique(sample.images)) == len(sample.images) == min(count, 12)
    np.testing.assert_array_equal(sample.labels, labels[sample.images.ravel()])
    for value, size in zip(classes, sizes, strict=True):
        assert abs((sample.labels == value).sum() - min(count, 12) * size / 12) < 1
    np.testing.assert_array_equal(sample.images, split.sample(count).images)


def test_held_out_images_are_the_same_every_time() -> None:
    labels = np.repeat([0, 1], [30, 10])
    remaining, held_out = hold_out(labels, 8)
    assert sorted([*remaining, *held_out]) == list(range(40))
    assert np.bincount(labels[held_out]).tolist() == [6, 2]
    np.testing.assert_array_equal(held_out, hold_out(labels, 8)[1])
