from __future__ import annotations

import keras
import numpy as np

from cnn_keras.models.shortcuts import shortcut_to


def test_identity_shortcut_subsamples_and_pads_with_zeros() -> None:
    x = keras.Input((9, 8, 3))
    like = keras.Input((5, 4, 6))
    model = keras.Model([x, like], shortcut_to(x, like, "A", "shortcut"))
    value = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    expected = np.pad(value[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, 3)))
    np.testing.assert_array_equal(model([value, np.zeros((2, 5, 4, 6), "float32")]), expected)
