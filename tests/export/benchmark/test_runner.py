from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.runner import MAX_WARMUP, STABILITY, LoadOptions, Row, TimingOptions, noise
from export.benchmark.runner_process import RunnerProcess, measure
from export.tflite.interpreter import Interpreter, ModelFileError
from tests.fixtures.tiny_files import SHAPE

QUICK = TimingOptions(num_runs=20, min_secs=0.05)
File = Callable[[str], Path]
Run = Callable[..., subprocess.CompletedProcess[str]]


def test_row_of_a_float_file(file: File) -> None:
    path = file("float32")
    row = measure(LoadOptions(str(path), warmup_secs=0.0), QUICK)
    assert row.file == str(path)
    assert row.size_bytes == path.stat().st_size
    assert row.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (row.dtype, row.activation_dtype) == ("float32", "float32")
    assert (row.num_threads, row.threads_used, row.inputs) == (1, 1, "random")
    assert (row.nodes, row.delegated_nodes, row.partitions) == (5, 5, 1)
    assert row.num_runs >= QUICK.num_runs
    assert row.quantize_p50_ms is None
    check_numbers(row)


def test_row_of_an_integer_file(file: File) -> None:
    row = measure(LoadOptions(str(file("int8")), num_threads=2, warmup_secs=0.0), QUICK)
    assert (row.dtype, row.activation_dtype) == ("int8", "int8")
    assert (row.num_threads, row.threads_used) == (2, 2)
    assert row.quantize_p50_ms is not None
    assert row.quantize_p50_ms > 0
    check_numbers(row)


def check_numbers(row: Row) -> None:
    """Percentiles rise, times are positive, and the units are ms and MiB."""
    times = (
        row.latency_min_ms,
        row.latency_p50_ms,
        row.latency_p90_ms,
        row.latency_p95_ms,
        row.latency_p99_ms,
    )
    assert times[0] > 0
    assert list(times) == sorted(times)
    assert row.latency_min_ms <= row.latency_mean_ms
    assert row.latency_std_ms >= 0
    assert min(row.load_ms, row.first_ms, row.copy_in_p50_ms, row.copy_out_p50_ms) > 0
    # The runner is Python, numpy and LiteRT: 40 MiB. This process holds TensorFlow and ten times
    # as much, which `ru_maxrss` would include.
    assert 10 < row.rss_before_load_mb < row.peak_rss_mb < 100


def test_runs_end_when_both_limits_are_reached(file: File) -> None:
    with RunnerProcess(LoadOptions(str(file("float32")), warmup_secs=0.0)) as process:
        process.run(TimingOptions(num_runs=3000, min_secs=0.0))
        row = process.row()
    assert row.num_runs == 3000
    # 0.2 s hold far more than one run of a network of some microseconds.
    assert (
        measure(
            LoadOptions(row.file, warmup_secs=0.0), TimingOptions(num_runs=1, min_secs=0.2)
        ).num_runs
        > 100
    )


def test_max_secs_ends_a_block_early(file: File) -> None:
    block = TimingOptions(num_runs=10**9, min_secs=0.0, max_secs=0.05)
    assert 0 < measure(LoadOptions(str(file("float32")), warmup_secs=0.0), block).num_runs < 10**9


def test_blocks_add_up(file: File) -> None:
    with RunnerProcess(LoadOptions(str(file("float32")), warmup_secs=0.0)) as process:
        medians = [process.run(TimingOptions(num_runs=50, min_secs=0.0)) for _ in range(3)]
        row = process.row()
    assert row.num_runs == 150
    assert min(medians) <= row.latency_p50_ms <= max(medians)


@pytest.mark.parametrize("secs", [0.0, 0.05])
def test_a_warm_up_is_as_long_as_asked_for_and_bounded(secs: float, file: File) -> None:
    with RunnerProcess(LoadOptions(str(file("float32")), warmup_secs=secs)) as process:
        process.run(QUICK)
        warmup = process.stability()["warmup"]
    assert secs <= warmup["secs"] < 2 * MAX_WARMUP * max(secs, 0.01)
    assert (warmup["stable"] is None) == (not secs)


def test_outputs_are_those_of_the_interpreter(file: File) -> None:
    with RunnerProcess(LoadOptions(str(file("int8")), num_threads=2, warmup_secs=0.0)) as process:
        outputs = np.concatenate([process.output(index) for index in range(32)])
        loaded = process.loaded
    assert (loaded.input.shape, loaded.output.dtype) == ((1, *SHAPE), "int8")
    assert loaded.delegated_nodes == 4
    expected = Interpreter(file("int8"))(noise(SHAPE))
    np.testing.assert_array_equal(loaded.output.dequantize(outputs), expected)


def test_given_images_are_the_inputs(file: File, tmp_path: Path) -> None:
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((3, *SHAPE), np.float32))
    row = measure(LoadOptions(str(file("int8")), 1, 0.0, str(images)), QUICK)
    assert row.inputs == "validation"


def test_images_of_another_size_are_refused(file: File, tmp_path: Path) -> None:
    images = tmp_path / "images.npy"
    np.save(images, np.zeros((3, 8, 8, 1), np.float32))
    with pytest.raises(ModelFileError, match="give the run that this file was exported from"):
        RunnerProcess(LoadOptions(str(file("float32")), inputs=str(images)))


def test_needs_only_litert_and_numpy(file: File, run_without: Run) -> None:
    """No other package of this project's is importable, this project's networks included."""
    absent = {"tensorflow", "keras", "cnn_keras", "rich", "tyro", "PIL", "sklearn", "scipy"}
    requests = [{"file": str(file("int8")), "warmup_secs": 0.0}, 0, QUICK._asdict(), STABILITY]
    done = run_without(
        absent, "-m", "export.benchmark.runner", stdin="\n".join(map(json.dumps, requests)) + "\n"
    )
    assert done.returncode == 0, done.stderr
    loaded, output, median, stability, row = map(json.loads, done.stdout.splitlines())
    assert (loaded["dtype"], loaded["num_images"]) == ("int8", 32)
    assert len(base64.b64decode(output)) == 10
    assert stability["stability"]["outlier_share"] >= 0
    assert stability["throttling"]["ratio"] > 0
    assert Row(**row).latency_p50_ms == median
    assert done.stderr == ""


def test_a_bad_file_exits_with_1(file: File, run_without: Run) -> None:
    request = json.dumps({"file": str(file("truncated"))})
    done = run_without(set(), "-m", "export.benchmark.runner", stdin=request + "\n")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"'{file('truncated')}' cannot be loaded: truncated or damaged."
    ]
