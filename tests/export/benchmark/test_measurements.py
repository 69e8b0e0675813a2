from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from export.benchmark.measurements import MeasurementOptions, measure_files
from export.benchmark.runner import TimingOptions
from export.tflite.interpreter import ModelFileError
from tests.fixtures.command_line import read_json_lines

QUICK = MeasurementOptions(timing=TimingOptions(5, 0.0), warmup_secs=0.0, processes=2)


def test_measurements_are_appended_and_failures_do_not_stop_the_others(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.tflite"
    found = measure_files([missing, file("float32")], QUICK._replace(threads=(1, 2)))
    assert [row.num_threads for row in found.rows] == [1, 2]
    documents = json.loads(json.dumps(found.documents))  # tuples become lists
    assert read_json_lines(tmp_path / "benchmarks.jsonl") == documents
    assert [failure["file"] for failure in found.failures] == [str(missing)]
    with pytest.raises(ModelFileError):
        measure_files([missing], QUICK)


def test_a_comparison_has_a_conclusion_and_both_rows(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    found = measure_files([file("float32")], QUICK._replace(vs=file("int8"), out=out))
    assert [Path(row.file).stem for row in found.rows] == ["float32", "int8"]
    assert found.documents[0]["vs"]["conclusion"] == found.conclusions[0]
    assert [line["vs"] is None for line in read_json_lines(out)] == [False, True]


def test_nothing_to_measure() -> None:
    assert measure_files([], QUICK).rows == []
