from __future__ import annotations

import pytest

from cnn_keras.layer_names import row_of


@pytest.mark.parametrize(
    ("layer", "row"),
    [
        ("conv2_1_a_bn", "conv2_1"),
        ("4c_5x5_reduce_relu", "4c"),
        ("3a_pool_proj", "3a"),
        ("4a_aux_fc_dropout", "4a_aux"),
        ("pool1_lrn", "pool1"),
        ("conv1_1_relu", "conv1_1"),
        ("logits", "logits"),
        ("pool", "pool"),
    ],
)
def test_row_of(layer: str, row: str) -> None:
    assert row_of(layer) == row
