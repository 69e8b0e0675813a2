from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data import photographs
from cnn_keras.data.check.duplicates import SIDE, exact_groups, near_groups
from cnn_keras.data.preprocessing import UInt8Images


def thumbnails(images: UInt8Images) -> UInt8Images:
    size = (SIDE, SIDE)
    small = (Image.fromarray(pixels).convert("L").resize(size) for pixels in images)
    return np.stack([np.asarray(image) for image in small])


def distinct(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint64)


def test_exact_groups_are_in_order() -> None:
    digests = np.array([9, 3, 9, 4, 3, 9], np.uint64)
    assert exact_groups(digests) == [[0, 2, 5], [1, 4]]
    assert exact_groups(digests[:2]) == []
    assert exact_groups(digests[:0]) == []


@pytest.mark.parametrize("similarity", [0.7, 0.9, 0.97])
def test_near_groups_are_those_of_all_pairs(similarity: float) -> None:
    """The search along one axis finds what the comparison of all pairs finds."""
    crops = photographs.crops((32, 32, 3), 300, 0, seed=1)
    points = thumbnails(crops).reshape(300, -1).astype(float)
    points -= points.mean(1, keepdims=True)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    pairs = np.argwhere(np.triu(points @ points.T >= similarity, 1))
    groups = near_groups(thumbnails(crops), distinct(300), similarity)
    assert {int(index) for pair in pairs for index in pair} == {i for g in groups for i in g}
    together = {(i, j) for group in groups for i in group for j in group}
    assert all((int(i), int(j)) in together for i, j in pairs)
    assert groups == sorted(groups)
    assert len(pairs) > 2


def test_exact_copies_are_members_but_no_group_of_their_own() -> None:
    crops = thumbnails(photographs.crops((64, 64, 3), 4, 0, seed=1))
    brighter = np.clip(crops[:1] + np.uint8(3), 0, 255)
    images = np.concatenate([crops, crops[:2], brighter])
    digests = np.array([0, 1, 2, 3, 0, 1, 9], np.uint64)
    assert near_groups(images, digests) == [[0, 4, 6]]


def test_flat_images_are_no_near_duplicates() -> None:
    random = np.random.default_rng(0)
    flat = random.integers(100, 103, (50, SIDE, SIDE), np.uint8)
    assert near_groups(flat, distinct(50), 0.01) == []
    assert near_groups(flat[:1], distinct(1)) == []
    assert near_groups(flat[:0], distinct(0)) == []


def test_ten_thousand_images_are_compared_in_seconds() -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (10_000, SIDE, SIDE), np.uint8)
    images[9_999] = images[7]
    started = time.process_time()
    assert near_groups(images, distinct(10_000)) == [[7, 9_999]]
    assert time.process_time() - started < 60  # a loop over all pairs would take many minutes
