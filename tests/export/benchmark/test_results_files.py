from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from cnn_keras.errors import Error, UsageError
from export.benchmark.places.row_schema import schema
from export.benchmark.results_files import read_results
from tests.export.benchmark_report.rows import benchmark_row, row_of_0_1_0, write_rows


def test_rows_are_read_in_order(tmp_path: Path) -> None:
    rows = [benchmark_row(num_threads=threads) for threads in (1, 2, 4)]
    jsonschema.validate(rows[0], schema())
    first = write_rows(tmp_path / "a.jsonl", rows[:2])
    second = write_rows(tmp_path / "b.jsonl", rows[1:])
    second.write_text(second.read_text() + "\n\n")
    results, duplicates = read_results([first, second])
    assert [result.row for result in results] == rows
    assert [result.path for result in results] == [first, first, second]
    assert duplicates == 1


def test_rows_of_0_1_0_are_read(tmp_path: Path) -> None:
    (result,), _ = read_results([write_rows(tmp_path / "a.jsonl", [row_of_0_1_0()])])
    jsonschema.validate(result.row, schema())
    names = ("place", "runtime", "runtime_version", "untrained", "digest")
    assert [result.row[name] for name in names] == ["local", "LiteRT", "2.3.0", False, None]


def test_later_versions_may_add_keys(tmp_path: Path) -> None:
    row = benchmark_row(power_mw=3.5)
    row["host"]["phone_case"] = "none"
    (result,), _ = read_results([write_rows(tmp_path / "a.jsonl", [row])])
    assert result.row == row


def test_a_name_may_contain_any_line_separator(tmp_path: Path) -> None:
    row = benchmark_row(file="a\u2028b\x85c\r.tflite")
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row, ensure_ascii=False) + "\r\n", encoding="utf-8", newline="")
    (result,), _ = read_results([path])
    assert result.row["file"] == row["file"]


GOOD = json.dumps(benchmark_row())


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (GOOD[:100], "Unterminated string"),
        ("[]", "is not of type 'object'"),
        ("{}", "is a required property"),
        ("null", "is not of type 'object'"),
        (GOOD.replace('"latency_p50_ms": 1.0', '"latency_p50_ms": NaN'), "NaN is not JSON"),
        (GOOD.replace('"latency_p50_ms": 1.0', '"latency_p50_ms": 1e999'), "out of range"),
        (GOOD.replace('"latency_p50_ms": 1.0', '"latency_p50_ms": null'), "latency_p50_ms: None"),
        (GOOD.replace('"latency_p50_ms": 1.0', '"latency_p50_ms": -1.0'), "latency_p50_ms: -1.0"),
        (GOOD.replace('"size_bytes": 251990', '"size_bytes": ' + "9" * 30), "out of range"),
        (GOOD.replace('"size_bytes": 251990', '"size_bytes": ' + "9" * 9999), "digits"),
        (GOOD.replace('"cores": 2', '"cores": "two"'), "host: cores: 'two'"),
        (GOOD.replace('"vs": null', '"vs": ' + "[" * 100_000), "recursion"),
        (GOOD + GOOD, "Extra data"),
    ],
)
def test_a_broken_line_is_named(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f"{GOOD}\n\n{line}\n{GOOD}\n")
    with pytest.raises(Error) as caught:
        read_results([path])
    message = str(caught.value)
    assert message.startswith(f"{path}, line 3 is not a measurement of cnn-keras benchmark (")
    assert reason in message
    assert len(message) < 700


def test_files_without_measurements_are_refused(tmp_path: Path) -> None:
    empty, binary = tmp_path / "empty.jsonl", tmp_path / "binary.jsonl"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(Error, match="No measurements in"):
        read_results([empty])
    with pytest.raises(Error, match="not UTF-8"):
        read_results([binary])
    with pytest.raises(UsageError, match="is a folder"):
        read_results([tmp_path])
    with pytest.raises(UsageError, match="at least one"):
        read_results([])
    with pytest.raises(FileNotFoundError):
        read_results([tmp_path / "missing.jsonl"])
