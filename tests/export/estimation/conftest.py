"""Profiles of a machine that obeys a law: time is the roofline times a factor of the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from export.benchmark.profile.results import bound_ms

PEAKS = {"float32": 100.0, "int8": 400.0}
BANDWIDTH = {"10000": 100.0, "100000000": 10.0}
SLOWDOWN = {1: 1.25, 3: 1.5, 7: 4.0}  # by the side of the window

Profile = Callable[[Sequence[tuple[int, int, int, int]]], dict[str, Any]]


def conv(side: int, channels_in: int, channels_out: int, window: int) -> dict[str, Any]:
    """Return an operation, without its latency."""
    kernel = (channels_out, window, window, channels_in)
    image, output = (1, side, side, channels_in), (1, side, side, channels_out)
    sizes = [int(np.prod(shape)) for shape in (image, kernel, output)]
    return {
        "op": "CONV_2D",
        "dtype": "float32",
        "kernel_dtype": "float32",
        "macs": side * side * sizes[1],
        "num_bytes": 4 * sum(sizes),
        "input_shapes": [image, kernel, (channels_out,)],
        "output_shape": output,
    }


@pytest.fixture
def profile() -> Profile:
    def profiled(layers: Sequence[tuple[int, int, int, int]]) -> dict[str, Any]:
        operations = [conv(*layer) for layer in layers]
        for operation, layer in zip(operations, layers, strict=True):
            bound = bound_ms(operation["macs"], operation["num_bytes"], "float32", PEAKS, BANDWIDTH)
            operation["ms"] = bound * SLOWDOWN[layer[-1]]
        total = sum(operation["ms"] for operation in operations) + 0.001
        return {
            "whole_ms": 0.95 * total,
            "sum_ms": total,
            "call_ms": 0.001,
            "peak_gmac_s": PEAKS,
            "bandwidth_gb_s": BANDWIDTH,
            "operations": operations,
        }

    return profiled
