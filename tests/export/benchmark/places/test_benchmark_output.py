"""What `benchmark_model` prints."""

from __future__ import annotations

import pytest

from export.benchmark.places.benchmark_output import (
    error,
    parse_delegated,
    parse_profile,
    parse_row,
    unknown_flags,
)
from tests.places.android_phone.recorded import FAILED, NOT_APPLIED, PROFILE, TIMED


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


def test_profile() -> None:
    found = parse_profile(TIMED + PROFILE)
    assert [each.op for each in found] == [
        "Convolution (NHWC, QU8) IGEMM",
        "Convolution (NHWC, QU8) DWConv",
        "Convolution (NHWC, QU8) GEMM",
        "Add (ND, QU8)",
    ]
    assert found[0].name == "Delegate/Convolution (NHWC, QU8) IGEMM:0"
    assert [each.ms for each in found] == pytest.approx([0.278, 0.271, 0.097, 0.051])
    assert parse_profile(TIMED) == []


def test_operations_that_share_a_name_are_added() -> None:
    """The program prints the mean latency of a call, and the calls in one inference."""
    found = parse_profile(PROFILE.replace("\t        1\tDelegate/Add", "\t        3\tDelegate/Add"))
    assert found[-1].ms == pytest.approx(0.153)


def test_profile_of_other_versions() -> None:
    older = PROFILE.replace("\t  [first]", "\t  [start]\t  [first]").replace(
        "\t    0.267", "\t    0.000\t    0.267"
    )
    assert parse_profile(older)[0].ms == pytest.approx(0.278)
    newer = """\
=================== Run Order ====================
                    [node type]    [start]    [first]   [avg ms]        [%]     [cdf%]   [mem KB] \
[times called]   [Name]
  Delegate/Max Pooling (NHWC, S8)      0.000      0.034      0.038     0.291%     9.969%      0.000\
            100   [Delegate]:2
                  AllocateTensors      0.000      0.034      0.038     0.291%     9.969%      0.000\
              0   AllocateTensors/0

===== Top by Computation Time ======
  Delegate/Max Pooling (NHWC, S8)      0.000      0.034      0.038     0.291%     9.969%      0.000\
            100   [Delegate]:2
"""
    assert parse_profile(newer) == [("Max Pooling (NHWC, S8)", "[Delegate]:2", 0.038)]


def test_errors() -> None:
    assert error(TIMED) is None
    assert (error(FAILED) or "").startswith("tensorflow/lite/kernels/batch_matmul.cc:353 ")
    assert unknown_flags(TIMED) is None
    line = "WARN: Unconsumed cmdline flags: --output_filepath=output.bin\n"
    assert unknown_flags(f"INFO: STARTING!\n{line}") == "--output_filepath=output.bin"
