"""Statistics of latencies: percentiles, minimum, mean and standard deviation."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def latency_statistics(latency_ms: NDArray[np.float64]) -> dict[str, float]:
    """Return the statistics of timed inferences under the names of the fields of a `runner.Row`.

    Percentiles interpolate linearly between samples (numpy's ``"linear"``, type 7 of the
    reference), and the standard deviation is the population's.

    Args:
        latency_ms: Latencies `(runs,)` in milliseconds.

    Example:
        >>> latency_statistics(np.arange(1.0, 102.0))["latency_p99_ms"]
        100.0

    Reference:
        Hyndman and Fan, "Sample quantiles in statistical packages", The American Statistician 50,
        1996.
    """
    p50, p90, p95, p99 = np.percentile(latency_ms, (50, 90, 95, 99)).tolist()
    return {
        "latency_p50_ms": p50,
        "latency_p90_ms": p90,
        "latency_p95_ms": p95,
        "latency_p99_ms": p99,
        "latency_min_ms": float(latency_ms.min()),
        "latency_mean_ms": float(latency_ms.mean()),
        "latency_std_ms": float(latency_ms.std()),
    }
