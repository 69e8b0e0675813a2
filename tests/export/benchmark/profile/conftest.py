"""A profile of three operations, with round numbers."""

from __future__ import annotations

from typing import Any

import pytest

from export.benchmark.profile.archive import PEAKS, Archive
from export.benchmark.profile.operator_runner import Times
from export.benchmark.profile.operators import Operator
from export.benchmark.profile.results import COPIES, document

_CONV = Operator(
    "CONV_2D", "a", "3a_1x1", "3a", 10**6, 4000, "int8", "int8", ((1, 8), (8,)), (1, 8), (0,), b""
)
_ARCHIVE = Archive(
    [
        _CONV._replace(fused=(_CONV._replace(op="PAD", macs=0), _CONV)),
        _CONV._replace(tensor="b", row="3b", layer="3b_1x1", macs=3 * 10**6),
        _CONV._replace(op="SOFTMAX", tensor="c", row="logits", macs=0, kernel_dtype=None),
    ],
    ["000", "001", "002"],
    ["000_fused0", "000_fused1"],
)
_TIMES = Times(
    whole_ms=0.70,
    call_ms=0.02,
    alone_call_ms=0.01,
    operations_ms=[0.22, 0.42, 0.12],
    alone_ms=[0.11, 0.21, 0.01],
    fused_ms=[0.06, 0.12],
    delegated=[True, True, True],
    peaks_ms=[0.11] * len(PEAKS),
    copies_ms=[2 * size / 10e6 for size in COPIES],  # 10 GB/s
    rounds=50,
)


@pytest.fixture
def archive() -> Archive:
    return _ARCHIVE


@pytest.fixture
def times() -> Times:
    return _TIMES


@pytest.fixture
def profile() -> dict[str, Any]:
    return document(_ARCHIVE, _TIMES)
