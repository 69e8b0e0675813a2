from __future__ import annotations

import csv
import json
import webbrowser
from pathlib import Path

import pytest

from tests.export.benchmark_report.rows import (
    SHA256,
    benchmark_row,
    row_of_0_1_0,
    write_export,
    write_rows,
)
from tests.fixtures.command_line import run_main
from tests.fixtures.tiny_files import tiny_files


@pytest.fixture
def results(tmp_path: Path) -> Path:
    rows = [row_of_0_1_0(), *(benchmark_row(num_threads=threads) for threads in (1, 2))]
    return write_rows(tmp_path / "results.jsonl", rows)


def test_report_of_a_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What `benchmark` writes, `report` reads."""
    file = tmp_path / "tiny.tflite"
    file.write_bytes(next(iter(tiny_files().values())))
    short = ("--min-secs", "0", "--num-runs", "2", "--warmup-secs", "0")
    assert run_main(capsys, "benchmark", file, *short)[0] == 0
    out = tmp_path / "report.html"
    code, text, err = run_main(capsys, "report", tmp_path / "benchmarks.jsonl", "--out", out)
    assert (code, err) == (0, "")
    assert text.startswith(f"{out}: 1 measurement of 1 file on 1 host, on 2")
    assert "No accuracy is known of 1 file: tiny.tflite." in text
    assert out.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_it_writes_a_page_a_table_and_csv(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_export(tmp_path / "files", [{}])
    out, markdown, table = (tmp_path / name for name in ("r.html", "r.md", "r.csv"))
    files = ("--out", out, "--markdown", markdown, "--csv", table)
    code, text, err = run_main(capsys, "report", results, *files, "--json")
    assert (code, err) == (0, "")
    document = json.loads(text)
    assert (document["report"], document["markdown"]) == (str(out), str(markdown))
    assert (document["measurements"], document["duplicates"]) == (3, 0)
    assert [row["num_threads"] for row in document["latest"]] == [1, 2]
    assert {row["accuracy"] for row in document["latest"]} == {0.9}
    lines = markdown.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("3 measurements of 1 file on 1 host")
    assert [line.count("| 90.00 |") for line in lines[4:]] == [1, 1]
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["num_threads"] for row in rows] == ["1", "1", "2"]
    assert {row["sha256"] for row in rows} == {SHA256}


def test_exports_may_lie_elsewhere(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = write_export(tmp_path / "far" / "away", [{}])
    page = ("--out", tmp_path / "r.html")
    assert "No accuracy" in run_main(capsys, "report", results, *page)[1]
    text = run_main(capsys, "report", results, *page, "--exports", given)[1]
    assert "No accuracy" not in text
    assert f"--exports {given}" in (tmp_path / "r.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("found", [True, False])
def test_open_opens_the_page(
    found: bool,
    results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []

    def browser(address: str) -> bool:
        opened.append(address)
        return found

    monkeypatch.setattr(webbrowser, "open", browser)
    monkeypatch.chdir(tmp_path)
    code, _, err = run_main(capsys, "report", results, "--open")
    assert code == 0
    assert opened == [(tmp_path / "report.html").as_uri()]
    assert err == (
        "" if found else f"No browser was found: open {tmp_path / 'report.html'} in one.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("", 2, "Name at least one JSONL file"),
        ("{}", 2, "is a folder"),
        ("{}/missing.jsonl", 1, "missing.jsonl: No such file"),
        ("{}/broken.jsonl", 1, "broken.jsonl, line 2 is not a measurement"),
        ("{}/results.jsonl --out {}/r.pdf", 2, "--out takes an .html file"),
        ("{}/results.jsonl --csv {}/results.jsonl", 2, "must be different new files"),
        ("{}/results.jsonl --csv {}/r.html --out {}/r.html", 2, "must be different new files"),
        ("{}/results.jsonl --exports {}", 1, "export.json is missing or broken"),
        ("{}/results.jsonl --out /proc/r.html", 1, "/proc/r.html"),
        ("{}/results.jsonl --csv /proc/r.csv", 1, "/proc/r.csv"),
    ],
)
def test_bad_input_writes_nothing(
    arguments: str,
    code: int,
    message: str,
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = results.parent
    monkeypatch.chdir(folder)
    first = results.read_text(encoding="utf-8").splitlines()[0]
    (folder / "broken.jsonl").write_text(f"{first}\n{{\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    found, out, err = run_main(capsys, "report", *arguments.replace("{}", str(folder)).split())
    assert (found, out, err.count("\n")) == (code, "", 1)
    assert message in err
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
