from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.run_folder import Run
from export.cards.exported_files import read_exported_files
from tests.fixtures.command_line import read_json_lines


def test_files_beside_the_run_are_found(folder: Path) -> None:
    found = read_exported_files(Run(folder))
    assert found is not None
    assert {path.name for path in found.paths} == {p.name for p in folder.glob("files/*.tflite")}
    assert found.threads == [1, 2]


def test_a_run_without_exported_files(folder: Path) -> None:
    moved = folder.with_name("elsewhere")
    shutil.move(folder / "files", moved)
    assert read_exported_files(Run(folder)) is None
    with pytest.raises(UsageError, match="add --files"):
        read_exported_files(Run(folder), benchmarks=moved / "benchmarks.jsonl")
    with pytest.raises(UsageError, match=f"not of {folder}"):
        read_exported_files(Run(folder), moved)
    with pytest.raises(Error, match=r"has no export\.json"):
        read_exported_files(Run(folder), folder)


@pytest.mark.parametrize("change", [lambda p: p.unlink(), lambda p: p.write_bytes(b"other")])
def test_a_file_that_changed_is_refused(folder: Path, change: object) -> None:
    file = folder / "files" / "lenet5_digits_float32.tflite"
    assert callable(change)
    change(file)
    with pytest.raises(Error, match=f"{file} is .*: export"):
        read_exported_files(Run(folder))


@pytest.mark.parametrize("text", ["{", "[]", '{"run": "..", "files": [{}]}'])
def test_a_broken_export_is_refused(folder: Path, text: str) -> None:
    (folder / "files" / "export.json").write_text(text)
    with pytest.raises(Error, match=r"export\.json is broken"):
        read_exported_files(Run(folder))


def test_the_latest_measurement_of_the_latest_machine_counts(folder: Path) -> None:
    path = folder / "files" / "benchmarks.jsonl"
    *_, last = read_json_lines(path)
    other = last | {"host": last["host"] | {"cpu": "Another chip"}}
    rows = [last | {"latency_p50_ms": 3.0}, other | {"latency_p50_ms": 9.0, "num_threads": 4}]
    rows.append(last | {"latency_p50_ms": 2.0, "num_threads": 1})
    unknown = other | {"sha256": "0" * 64}
    path.write_text("".join(json.dumps(row) + "\n" for row in [*rows, unknown]))
    found = read_exported_files(Run(folder))
    assert found is not None
    assert found.threads == [1, last["num_threads"]]
    row = next(each for each in found.accepted if each["sha256"] == last["sha256"])
    assert [found.latency_ms(row, count) for count in (1, 2, 4)] == [2.0, 3.0, None]


@pytest.mark.parametrize("text", ["no JSON", '{"sha256": ""}', "1"])
def test_broken_measurements_are_refused(folder: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(text + "\n")
    with pytest.raises(Error, match="is not a file of `cnn-keras benchmark`"):
        read_exported_files(Run(folder), benchmarks=path)
    with pytest.raises(Error, match="No such file"):
        read_exported_files(Run(folder), benchmarks=tmp_path / "none.jsonl")
