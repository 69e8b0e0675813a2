from __future__ import annotations

import errno
import io
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from rich.console import Console

from cnn_keras.experiments.record import claims_table
from cnn_keras.machine import host
from export.benchmark import results
from export.benchmark.compare import Comparison
from export.benchmark.latency_ratio import Ratio
from export.benchmark.results import record, require_writable, significant, table
from export.benchmark.runner import Row
from tests.fixtures.command_line import read_json_lines

ROW = Row(**dict.fromkeys(Row._fields, 1))._replace(  # type: ignore[arg-type]
    file="a/net.tflite", sha256="ab", dtype="int8", activation_dtype="int8", inputs="random"
)


def test_full_disk_leaves_the_old_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "rows.jsonl"
    results.append(path, {"row": 1})
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:4]))
    with pytest.raises(OSError, match="No space left") as caught:
        results.append(path, {"row": 2})
    assert caught.value.errno == errno.ENOSPC
    assert read_json_lines(path) == [{"row": 1}]


def test_lines_of_simultaneous_benchmarks_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: results.append(path, {"row": n, "pad": "x" * 9000}), range(64)))
    assert sorted(int(str(line["row"])) for line in read_json_lines(path)) == list(range(64))


def test_brackets_of_names_are_no_markup() -> None:
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(table([ROW._replace(file="a/[bold]net.tflite", inputs="noise")]))
    claims = [{"claim": "[bold]net errs", "holds": True, "value": 1.0, "interval": None}]
    console.print(claims_table({"claims": claims}))
    assert console.export_text().count("[bold]net") == 2


def test_a_record_states_what_a_row_was_compared_with() -> None:
    other = ROW._replace(file="other.tflite", sha256="cd")
    comparison = Comparison(ROW, other, Ratio(0.5, 0.4, 0.6), "a is faster")
    document = record(ROW, host(), {"python": "3"}, comparison)
    assert json.loads(json.dumps(document["vs"])) == {
        "file": "other.tflite",
        "sha256": "cd",
        "ratio": 0.5,
        "interval": [0.4, 0.6],
        "conclusion": "a is faster",
    }
    assert record(ROW, host(), {})["vs"] is None


def test_a_writable_path_is_left_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    require_writable(path)
    assert not path.exists()
    results.append(path, {"row": 1})
    require_writable(path)
    assert read_json_lines(path) == [{"row": 1}]
    with pytest.raises(OSError, match="Is a directory"):
        require_writable(path.parent)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0.00"),
        (0.02871, "0.0287"),
        (1.3, "1.30"),
        (9.999, "10.0"),
        (2801.7, "2,802"),
        (99.96, "100"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert significant(value) == text
