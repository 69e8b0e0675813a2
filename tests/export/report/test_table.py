from pathlib import Path
from typing import Any

import pytest

from cnn_keras.training.run_folder import Run
from export.report.facts import Entry
from export.report.table import AUDIT, EXPORT, LATENCY, STARTUP, cells, groups, meanings, verdict

FILE: dict[str, Any] = {
    "recipe": "float32",
    "sha256": "a",
    "size_bytes": 1_234_567,
    "size_ratio": 1.0,
    "top1_file": 0.5,
    "drop_points": -0.5,
    "agreement": 1.0,
    "snr_db": None,
    "accepted": True,
    "audit": {"delegated_nodes": None, "nodes": 13, "partitions": None},
}
LATENCIES = ("latency_p50_ms", "latency_p90_ms", "latency_p99_ms", "load_ms", "first_ms")


def row(num_threads: int) -> dict[str, Any]:
    found = {"sha256": "a", "num_threads": num_threads, "peak_rss_mb": 45.25}
    return found | dict.fromkeys(LATENCIES, 0.02871)


def entry(*threads: int) -> Entry:
    return Entry(Run(Path("run")), {"files": [FILE]}, [row(count) for count in threads])


@pytest.mark.parametrize("threads", [(), (1,), (1, 2)])
def test_groups_have_the_columns_of_every_number_of_threads(threads: tuple[int, ...]) -> None:
    columns = [group.columns for group in groups(threads)]
    assert columns == [EXPORT, *[LATENCY] * len(threads), *[STARTUP] * bool(threads), AUDIT]
    found = cells(entry(*threads), FILE)
    assert len(found) == sum(map(len, columns))
    assert [cell.kind for cell in found].count("start") == len(columns)


def test_cells_have_numbers_and_dashes_for_missing_ones() -> None:
    texts = [cell.text for cell in cells(entry(1), FILE)]
    assert texts[:6] == ["1,234.6", "1.00×", "50.00", "−0.50", "100.00", "—"]
    assert texts[6:12] == ["0.0287"] * 5 + ["45.2"]
    assert texts[12:] == ["—/13", "—"]
    headings = [cell.heading for cell in cells(entry(1, 2), FILE)]
    assert "p50, ms, 2 threads" in headings


def test_a_file_without_measurements_has_one_wide_cell() -> None:
    refused = FILE | {"sha256": "b", "accepted": False, "audit": None}
    found = cells(entry(1, 2), refused)
    assert [cell.text for cell in found[:6]] == ["—"] * 6
    assert found[6].text == "— not measured, because it was not written"
    assert found[6].span == 9
    assert sum(cell.span for cell in found) == len(cells(entry(1, 2), FILE))
    assert verdict(refused) == "✕ refused"


def test_every_column_has_a_meaning() -> None:
    headings = [column.heading for group in groups([1]) for column in group.columns]
    assert [heading for heading, _ in meanings()] == ["verdict", *headings]
