from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.models.shortcuts import is_subsampling, shortcut_to


def test_identity_shortcut_subsamples_and_pads_with_zeros() -> None:
    x = keras.Input((9, 8, 3))
    like = keras.Input((5, 4, 6))
    model = keras.Model([x, like], shortcut_to(x, like, "A", "shortcut"))
    value = np.random.default_rng(0).normal(size=(2, 9, 8, 3)).astype("float32")
    expected = np.pad(value[:, ::2, ::2], ((0, 0), (0, 0), (0, 0), (0, 3)))
    np.testing.assert_array_equal(model([value, np.zeros((2, 5, 4, 6), "float32")]), expected)


@pytest.mark.parametrize(
    ("kernel_size", "changes", "expected"),
    [
        (1, {}, True),
        (3, {}, False),
        (1, {"use_bias": True}, False),
        (1, {"trainable": True}, False),
        (1, {"depthwise_initializer": "zeros"}, False),
    ],
)
def test_only_a_frozen_kernel_of_a_single_one_subsamples(
    kernel_size: int, changes: dict[str, Any], expected: bool
) -> None:
    options = {"use_bias": False, "depthwise_initializer": "ones", "trainable": False} | changes
    assert is_subsampling(keras.layers.DepthwiseConv2D(kernel_size, 2, **options)) is expected
