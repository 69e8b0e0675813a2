from __future__ import annotations

import numpy as np
import pytest

from export.benchmark.latency import latency_statistics


def test_percentiles_interpolate_linearly() -> None:
    found = latency_statistics(np.array([4.0, 1.0, 2.0, 3.0]))
    percentiles = {name: found[f"latency_{name}_ms"] for name in ("p50", "p90", "p95", "p99")}
    assert percentiles == pytest.approx({"p50": 2.5, "p90": 3.7, "p95": 3.85, "p99": 3.97})


def test_the_standard_deviation_is_the_population_s() -> None:
    found = latency_statistics(np.array([1.0, 3.0]))
    assert [found[f"latency_{name}_ms"] for name in ("min", "mean", "std")] == [1.0, 2.0, 1.0]
