from __future__ import annotations

import numpy as np

from cnn_keras.data import photographs


def test_crops_depend_on_the_seed_only() -> None:
    first, second = (photographs.crops((16, 24, 3), 4, 0, seed) for seed in (0, 0))
    assert first.shape == (4, 16, 24, 3)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, photographs.crops((16, 24, 3), 4, 0, 1))


def test_the_halves_differ_and_gray_crops_have_one_channel() -> None:
    left, right = (photographs.crops((8, 8, 1), 4, half, 0) for half in (0, 1))
    assert left.shape == (4, 8, 8, 1)
    assert not np.array_equal(left, right)


def test_tensors_are_normalized_crops() -> None:
    tensors = photographs.tensors((8, 8, 3), 2, 1)
    expected = (photographs.crops((8, 8, 3), 2, 1, 0).astype(np.float32) - 127.5) / 64
    np.testing.assert_allclose(tensors, expected, rtol=1e-6)
