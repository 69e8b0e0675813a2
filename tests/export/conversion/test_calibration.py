from __future__ import annotations

import numpy as np
import pytest

from cnn_keras.errors import UsageError
from export.conversion.calibration import sample


def draw(sizes, count, seed=0):
    """Draw from classes of these sizes; each image is its index."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    labels = np.random.default_rng(1).permutation(labels)
    chosen = sample(np.arange(len(labels)), labels, count, seed)
    return chosen, labels[chosen]


@pytest.mark.parametrize(
    ("sizes", "count"),
    [([600] * 10, 200), ([600] * 10, 203), ([500, 7, 1, 3, 90], 50), ([1] * 100, 30), ([9], 4)],
)
def test_count_is_exact_and_each_class_has_its_share(sizes, count):
    chosen, labels = draw(sizes, count)
    assert len(np.unique(chosen)) == count
    shares = count * np.array(sizes) / sum(sizes)
    assert (np.abs(np.bincount(labels, minlength=len(sizes)) - shares) < 1).all()


def test_a_smaller_set_is_drawn_whole():
    chosen, _ = draw([3, 2], 200)
    assert sorted(chosen) == [0, 1, 2, 3, 4]


def test_the_seed_determines_the_draw():
    assert (draw([50, 50], 20)[0] == draw([50, 50], 20)[0]).all()
    assert (draw([50, 50], 20)[0] != draw([50, 50], 20, seed=1)[0]).any()


def test_order_is_mixed():
    labels = draw([100, 100], 100)[1]
    assert 20 < labels[:50].sum() < 30 + 10


@pytest.mark.parametrize(("sizes", "count"), [([5], 0), ([0], 10)])
def test_an_empty_draw_is_refused(sizes, count):
    with pytest.raises(UsageError, match="Cannot draw"):
        draw(sizes, count)
