from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.provenance import find_run, read_export_row, same_network
from export.tflite import metadata
from tests.fixtures.tiny_files import tiny_files


def test_the_row_of_a_file_has_its_run_and_model(tmp_path: Path) -> None:
    rows = [{"file": "a.tflite", "recipe": "float16"}, {"file": None, "recipe": "float32"}]
    document = {"run": "../run", "model": "model.keras", "files": rows}
    (tmp_path / "export.json").write_text(json.dumps(document))
    about = {"run": "../run", "model": "model.keras"}
    assert read_export_row(tmp_path / "a.tflite") == rows[0] | about
    assert read_export_row(tmp_path / "other.tflite") == about


@pytest.mark.parametrize("content", [None, "", "[]", "{", '{"files": [1], "run": "r"}', "{}"])
def test_no_valid_export_json_is_an_empty_row(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "export.json").write_text(content)
    assert read_export_row(tmp_path / "a.tflite") == {}
    assert find_run(tmp_path / "a.tflite") is None


def test_a_trained_network_has_no_folder(tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(json.dumps({"run": "lenet5:digits"}))
    assert find_run(tmp_path / "a.tflite") == Path("lenet5:digits")


@pytest.mark.parametrize(("run", "found"), [("../run", True), ("../gone", False), (None, False)])
def test_the_run_is_found_from_the_folder_of_the_export(
    run: str | None, found: bool, tmp_path: Path
) -> None:
    for name in ("run", "files"):
        (tmp_path / name).mkdir()
    (tmp_path / "files" / "export.json").write_text(json.dumps({"run": run}))
    path = find_run(tmp_path / "files" / "a.tflite")
    assert (path is not None and path.resolve() == tmp_path / "run") == found


@pytest.mark.parametrize(
    ("integer", "name", "runs", "same"),
    [
        ("int8", "a", ("", ""), True),  # contents alone say so
        ("int8", "a", ("run", ""), True),
        ("int8", "a", ("run", "run"), True),
        ("int8", "b", ("", ""), False),
        ("int8", "a", ("run", "other"), False),
        ("flex", "a", ("", ""), False),  # other weights
    ],
)
def test_files_of_one_network(
    integer: str, name: str, runs: tuple[str, str], same: bool, tmp_path: Path
) -> None:
    paths = []
    for folder, kind, stated, run in (
        ("one", "float32", "a", runs[0]),
        ("two", integer, name, runs[1]),
    ):
        (tmp_path / folder).mkdir()
        paths.append(tmp_path / folder / f"{kind}.tflite")
        labels = tuple(map(str, range(256 if kind == "flex" else 10)))
        about = metadata.Metadata(stated, "", labels, None)
        paths[-1].write_bytes(metadata.write(tiny_files()[kind], about))
        if run:
            (tmp_path / run).mkdir(exist_ok=True)
            (tmp_path / folder / "export.json").write_text(json.dumps({"run": f"../{run}"}))
    assert same_network(*map(str, paths)) == same
