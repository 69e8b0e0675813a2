from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.errors import Error
from export.benchmark.results_files import Result
from export.benchmark_report.exports import Exported, find_exports
from tests.export.benchmark_report.rows import SHA256, benchmark_row, write_export


def result(folder: Path, file: Path | str) -> Result:
    return Result(folder / "benchmarks.jsonl", benchmark_row(file=str(file)))


def test_what_an_export_tells(tmp_path: Path) -> None:
    write_export(tmp_path, [{}])
    found = find_exports([result(tmp_path, "elsewhere/a.tflite")], [])[SHA256]
    # Wilson 1927, as R's prop.test(90, 100, correct = FALSE) gives it: 0.8256 to 0.9448.
    assert found.accuracy_low == pytest.approx(0.8256, abs=1e-4)
    assert found.accuracy_high == pytest.approx(0.9448, abs=1e-4)
    assert found._replace(accuracy_low=None, accuracy_high=None) == Exported(
        network="lenet5",
        data="digits",
        input="32×32×1",
        recipe="float32",
        accuracy=0.9,
        num_images=100,
        drop_points=0.5,
    )


@pytest.mark.parametrize("where", ["file", "results", "relative", "child", "given"])
def test_exports_are_found_by_the_hash(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file, results = tmp_path / "runs" / "files" / "a.tflite", tmp_path / "results"
    folders = {
        "file": file.parent,
        "results": results,
        "relative": results / "files",
        "child": results / "any",
        "given": tmp_path / "given",
    }
    write_export(folders[where], [{"sha256": "0" * 64}, {}])
    measured = Path("files/a.tflite") if where == "relative" else file
    given = [folders["given"]] if where == "given" else []
    assert find_exports([result(results, measured)], given)[SHA256].accuracy == 0.9


def test_another_file_of_the_same_name_has_another_accuracy(tmp_path: Path) -> None:
    write_export(tmp_path, [{"sha256": "0" * 64, "file": "lenet5_float32.tflite"}])
    assert find_exports([result(tmp_path, tmp_path / "lenet5_float32.tflite")], []) == {}


@pytest.mark.parametrize(
    "row",
    [
        {"top1_file": None},
        {"top1_file": float("nan")},
        {"top1_file": float("inf")},
        {"top1_file": 98.9},
        {"top1_file": "good"},
        {"top1_file": True},
    ],
    ids=str,
)
def test_an_accuracy_that_is_none_is_not_shown(row: dict[str, Any], tmp_path: Path) -> None:
    write_export(tmp_path, [row])
    found = find_exports([result(tmp_path, "a.tflite")], [])[SHA256]
    assert (found.accuracy, found.accuracy_low, found.recipe) == (None, None, "float32")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": [1]}', "[" * 100_000, '{"files": 1}'])
def test_a_broken_export_is_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "export.json").write_text(text)
    assert find_exports([result(tmp_path, "a\0.tflite")], []) == {}
    with pytest.raises(Error, match=r"export\.json is missing or broken"):
        find_exports([], [tmp_path])


def test_rows_may_lack_what_is_shown(tmp_path: Path) -> None:
    document = {"files": [{"sha256": SHA256, "audit": None, "recipe": 3, "num_images": "many"}]}
    (tmp_path / "export.json").write_text(json.dumps(document))
    assert find_exports([result(tmp_path, "a.tflite")], []) == {SHA256: Exported()}
