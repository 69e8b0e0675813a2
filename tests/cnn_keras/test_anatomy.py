from __future__ import annotations

import cnn_keras
from cnn_keras.anatomy import rows


def test_rows_of_lenet_are_the_papers() -> None:
    found = [(r.row, r.output_shape, r.parameters) for r in rows(cnn_keras.build("lenet5"))]
    assert found[:4] == [
        ("c1", (28, 28, 6), 156),
        ("s2", (14, 14, 6), 0),
        ("c3", (10, 10, 16), 2_416),
        ("s4", (5, 5, 16), 0),
    ]
    assert found[5:8] == [
        ("c5", (120,), 48_120),
        ("f6", (84,), 10_164),
        ("logits", (10,), 850),
    ]


def test_macs_follow_from_kernels_and_positions() -> None:
    macs = {r.row: r.macs for r in rows(cnn_keras.build("lenet5"))}
    assert macs["c1"] == 28 * 28 * 5 * 5 * 6
    assert macs["c3"] == 10 * 10 * 5 * 5 * 6 * 16
    assert macs["c5"] == 400 * 120
    partial = {r.row: r.macs for r in rows(cnn_keras.build("lenet5", form="1998"))}
    assert partial["c3"] == 10 * 10 * 5 * 5 * 60


def test_a_module_of_a_residual_network_is_one_row() -> None:
    found = {r.row: r for r in rows(cnn_keras.build("resnet20"))}
    assert [name for name in found if name.startswith("conv")] == [
        "conv1",
        *(f"conv{stage}_{i}" for stage in (2, 3, 4) for i in (1, 2, 3)),
    ]
    module = found["conv3_1"]
    assert module.output_shape == (16, 16, 32)
    assert module.parameters == 9 * (16 * 32 + 32 * 32) + 4 * 32
    assert module.macs == 16 * 16 * 9 * (16 * 32 + 32 * 32)
    assert sum(r.macs for r in found.values()) == 40_551_040
    assert sum(r.parameters for r in found.values()) == 269_722
