from __future__ import annotations

import numpy as np
import tensorflow as tf

from cnn_keras.data.augmentation.rectangles import Rectangles


def test_the_mask_is_true_inside() -> None:
    edges = np.sort(np.random.default_rng(0).integers(0, 29, (2, 2, 50), np.int32), axis=0)
    edges[:, :, 0] = 0  # empty
    (top, left), (bottom, right) = edges
    mask = Rectangles(*map(tf.constant, (top, bottom, left, right))).mask(28, 40).numpy()
    assert mask.shape == (50, 28, 40, 1)
    for inside, y1, y2, x1, x2 in zip(mask, top, bottom, left, right, strict=True):
        filled = np.zeros((28, 40, 1), bool)
        filled[y1:y2, x1:x2] = True
        np.testing.assert_array_equal(inside, filled)
