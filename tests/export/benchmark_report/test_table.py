from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import pytest

from export.benchmark.results_files import Result
from export.benchmark_report.exports import Exported
from export.benchmark_report.measurements import Measurement, measurements
from export.benchmark_report.table import COLUMNS, cell, to_csv, to_markdown
from tests.export.benchmark_report.rows import HOSTILE, SHA256, benchmark_row


def measurement(accuracy: float | None = None, **row: Any) -> Measurement:
    exported = Exported(accuracy=accuracy, drop_points=None if accuracy is None else -0.504)
    result = Result(Path("a.jsonl"), benchmark_row(**row))
    ((found, _),) = measurements([result], {SHA256: exported})
    return found


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("name", "lenet5_float32.tflite"),
        ("num_threads", "1"),
        ("accuracy", "98.77"),
        ("drop_points", "−0.50"),
        ("latency_p50_ms", "1.00"),
        ("latency_p99_ms", "2,801"),
        ("peak_rss_mb", "45.4"),
        ("size_bytes", "252.0"),
        ("delegated_nodes", "13/13"),
        ("time", "2026-11-30 12:00"),
    ],
)
def test_cells_have_units_and_digits(key: str, text: str) -> None:
    (column,) = [column for column in COLUMNS if column.key == key]
    assert cell(measurement(accuracy=0.98765, latency_p99_ms=2801.4), column) == text


def test_what_is_not_known_is_a_dash() -> None:
    unknown = {"peak_rss_mb": None, "nodes": None, "delegated_nodes": None, "latency_p90_ms": None}
    found = measurement(**unknown)
    dashes = [column.key for column in COLUMNS if cell(found, column) == "—"]
    expected = {"peak_rss_mb", "delegated_nodes", "latency_p90_ms", "accuracy", "drop_points"}
    assert {*dashes} == expected | {"data", "input"}


def test_untrained_networks_are_marked() -> None:
    lines = to_markdown([measurement(accuracy=0.9, untrained=True), measurement()]).splitlines()
    assert lines[2].count(" untrained ") == 1
    assert "untrained" not in lines[3]


def test_markdown_is_one_table_whatever_the_names_are() -> None:
    host = benchmark_row()["host"] | {"cpu": HOSTILE}
    text = to_markdown([measurement(file=HOSTILE, place=HOSTILE, host=host, runtime=HOSTILE)])
    head, align, row = text.splitlines()
    cells = [len(re.split(r"(?<!\\)\|", line)) for line in (head, align, row)]
    assert cells == [len(COLUMNS) + 2] * 3
    assert "<" not in text
    assert not re.search(r"(?<!\\)[`*\[\]]", row)


def test_csv_gives_back_every_value() -> None:
    found = [
        measurement(accuracy=0.9, file=f"a\n{HOSTILE}", latency_p50_ms=0.1 + 0.2),
        measurement(peak_rss_mb=None, untrained=True),
    ]
    rows = list(csv.DictReader(io.StringIO(to_csv(found), newline="")))
    assert len(rows) == 2
    for row, expected in zip(rows, found, strict=True):
        for name, value in expected._asdict().items():
            match value:
                case None:
                    assert row[name] == ""
                case bool():
                    assert row[name] == str(value).lower()
                case int() | float():
                    assert float(row[name]) == value
                case _:
                    assert row[name] == value
