from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.errors import Error
from export.benchmark.comparison.gate import gate, read_baseline
from export.benchmark.comparison.rounds import Repetitions
from export.benchmark.measurements import MeasurementOptions, measure_files
from export.benchmark.runner import TimingOptions

File = Callable[[str], Path]
BLOCK = TimingOptions(num_runs=20, min_secs=0.05)
TWICE = Repetitions(processes=2, max_processes=2)
# The interval of two processes alone may be wide when other programs run.
SIX_TIMES = Repetitions(processes=6, max_processes=12)
QUICK = MeasurementOptions(timing=BLOCK, warmup_secs=0.0)


@pytest.fixture
def row(file: File, tmp_path: Path) -> dict[str, Any]:
    (found,) = measure_files([file("float32")], QUICK).documents
    document: dict[str, Any] = json.loads(json.dumps(found))
    return document


def faster(row: dict[str, Any], factor: float) -> dict[str, Any]:
    return {**row, "latency_p50_ms": row["latency_p50_ms"] / factor}


def test_measurements_of_the_same_file_are_compared(row: dict[str, Any]) -> None:
    (equal,) = gate([row], [row], 0.05, BLOCK, TWICE)
    assert (equal.accepted, equal.method, equal.ratio, equal.interval) == (True, "rows", 1.0, None)
    assert "which is weaker than timing both files now: accepted" in equal.reason
    (slower,) = gate([row], [faster(row, 1.2)], 0.05, BLOCK, TWICE)
    assert not slower.accepted
    assert slower.ratio == pytest.approx(1.2)
    assert slower.reason.endswith("refused, with 1.050 as the limit.")
    assert gate([row], [faster(row, 1.2)], 0.25, BLOCK, TWICE)[0].accepted


def test_the_latest_measurement_counts(row: dict[str, Any]) -> None:
    assert gate([row], [faster(row, 2.0), row], 0.05, BLOCK, TWICE)[0].accepted
    assert not gate([row], [row, faster(row, 2.0)], 0.05, BLOCK, TWICE)[0].accepted


def test_a_file_of_the_baseline_that_is_still_there_is_timed(
    row: dict[str, Any], file: File, tmp_path: Path
) -> None:
    """Its measurement says that it is fast, but it is not: 16-bit integers take longer."""
    old = tmp_path / "old" / "float32.tflite"
    old.parent.mkdir()
    old.write_bytes(file("int16").read_bytes())
    (measured,) = measure_files([old], QUICK).documents
    (found,) = gate([row], [{**measured, "latency_p50_ms": 1e-9}], 0.05, BLOCK, SIX_TIMES)
    assert (found.accepted, found.method, found.baseline) == (True, "interleaved", str(old))
    assert found.interval is not None
    assert found.interval[0] <= found.ratio <= found.interval[1] < 1
    (reverse,) = gate(
        [{**measured, "file": str(old)}], [{**row, "file": row["file"]}], 0.05, BLOCK, SIX_TIMES
    )
    assert not reverse.accepted
    assert "both timed now: refused" in reverse.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"file": "other.tflite"}, "has no measurement of float32.tflite with 1 thread"),
        ({"num_threads": 2}, "has no measurement of float32.tflite with 1 thread"),
        ({"host": "cpu"}, r"is of another machine \(cpu Another chip, here "),
    ],
)
def test_nothing_to_compare_with_is_an_error(
    change: dict[str, Any], message: str, row: dict[str, Any]
) -> None:
    if "host" in change:
        change = {"host": {**row["host"], "cpu": "Another chip"}}
    with pytest.raises(Error, match=message):
        gate([row], [{**row, **change}], 0.05, BLOCK, TWICE)


def test_a_baseline_has_the_measurements_of_this_machine_alone(
    row: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [row, {**row, "place": "ssh:board"}]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    assert read_baseline(path) == [row]
    path.write_text('{"file": "a"}')
    with pytest.raises(Error, match=r"rows.jsonl, line 1 is not a measurement"):
        read_baseline(path)
