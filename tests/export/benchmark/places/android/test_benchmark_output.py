"""What `benchmark_model` prints."""

from __future__ import annotations

import pytest

from export.benchmark.places.android.benchmark_output import (
    error,
    parse_delegated,
    parse_row,
    unknown_flags,
)
from tests.places.android_phone.recorded import FAILED, NOT_APPLIED, TIMED


def test_row() -> None:
    assert parse_row(TIMED) == pytest.approx(
        {
            "load_ms": 119.515,
            "first_ms": 87.112,
            "num_runs": 1000,
            "latency_p50_ms": 51.891,
            "latency_p95_ms": 68.628,
            "latency_min_ms": 49.088,
            "latency_mean_ms": 63.7432,
            "latency_std_ms": 60.716,
            "nodes": 15,
            "delegated_nodes": 15,
            "partitions": 1,
        }
    )


def test_large_numbers_and_equal_runs() -> None:
    text = TIMED.replace("avg=63743.2", "avg=1.24027e+06")
    assert (parse_row(text) or {})["latency_mean_ms"] == 1240.27
    runs = "count=1 curr=905463 p5=905463 median=905463 p95=905463"
    same = TIMED[: TIMED.rindex("count=")] + runs + TIMED[TIMED.index("\n\nINFO: Inference") :]
    row = parse_row(same) or {}
    assert (row["num_runs"], row["latency_min_ms"], row["latency_std_ms"]) == (1, 905.463, 0.0)


def test_no_timings() -> None:
    assert parse_row(FAILED) is None
    older = TIMED.replace(" p5=49620 median=51891 p95=68628", "")
    assert parse_row(older) is None


def test_delegated_part() -> None:
    assert parse_delegated(TIMED) == (15, 15, 1)
    assert parse_delegated(NOT_APPLIED) == (None, 0, 0)
    text = (
        "VERBOSE: Replacing 29 out of 31 node(s) with delegate (TfLiteXNNPackDelegate) node, "
        "yielding 4 partitions for subgraph 0.\n"
        "INFO: Explicitly applied XNNPACK delegate, and the model graph will be partially executed "
        "by the delegate w/ 2 delegate kernels.\n"
    )
    assert parse_delegated(text) == (31, 29, 2)
    assert parse_delegated("") == (None, None, None)


def test_errors() -> None:
    assert error(TIMED) is None
    assert (error(FAILED) or "").startswith("tensorflow/lite/kernels/batch_matmul.cc:353 ")
    assert unknown_flags(TIMED) is None
    line = "WARN: Unconsumed cmdline flags: --output_filepath=output.bin\n"
    assert unknown_flags(f"INFO: STARTING!\n{line}") == "--output_filepath=output.bin"
