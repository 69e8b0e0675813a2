from __future__ import annotations

import numpy as np
import pytest

from cnn_keras.errors import Error
from cnn_keras.trained.packed_weights import MAX_FLOAT16_BYTES, pack, unpack


def test_float16_keeps_the_order_of_layers_and_arrays() -> None:
    rng = np.random.default_rng(0)
    layers = {
        name: [rng.normal(size=(index + 1,)).astype(np.float32) for index in range(12)]
        for name in ("conv2", "conv1_bn", "logits")
    }
    found = unpack(pack(layers))
    assert list(found) == list(layers)
    for name, arrays in layers.items():
        for ours, theirs in zip(found[name], arrays, strict=True):
            assert ours.dtype == np.float32
            np.testing.assert_array_equal(ours, theirs.astype(np.float16))


def test_large_networks_have_one_scale_for_each_output_channel() -> None:
    rng = np.random.default_rng(0)
    kernel = rng.normal(size=(3, 3, 512, 160)).astype(np.float32)
    kernel *= np.geomspace(1e-3, 10, 160, dtype=np.float32)
    kernel[..., 7] = 0
    bias = rng.normal(size=160).astype(np.float32)
    content = pack({"conv1": [kernel, bias]})
    assert len(content) < MAX_FLOAT16_BYTES < kernel.size * 2
    [found, found_bias] = unpack(content)["conv1"]
    steps = np.abs(kernel).max(axis=(0, 1, 2)) / 127
    assert (np.abs(found - kernel) <= 0.501 * steps).all()
    assert not found[..., 7].any()
    np.testing.assert_array_equal(found_bias, bias.astype(np.float16))


def test_the_same_weights_give_the_same_bytes() -> None:
    weights = {"logits": [np.ones((3, 2), np.float32)]}
    assert pack(weights) == pack(weights)


@pytest.mark.parametrize("value", [1e6, np.nan, -np.inf])
def test_weights_beyond_float16_are_refused(value: float) -> None:
    with pytest.raises(Error, match="A weight of layer 'conv1' is not finite in float16"):
        pack({"conv1": [np.array([0, value], np.float32)]})
