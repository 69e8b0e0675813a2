from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cnn_keras.training.config import Training
from tests.fixtures.command_line import run_main
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 3})


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Path, Path]:
    return (
        write_run(tmp_path / "a", TRAINING, [0.5, 0.9], 0.9),
        write_run(tmp_path / "b", replace(TRAINING, seed=1), [0.5], with_speed=False),
    )


def test_compare_prints_tables_and_writes_pages(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages" / "c.html", tmp_path / "c.md"
    code, text, err = run_main(capsys, "compare", *runs, "--out", *out)
    assert (code, err) == (0, "")
    assert "test accuracy, %             90.00           —" in text
    assert "The runs differ only in the seed." in text
    assert "b is not finished: epoch 1 of 3." in text
    assert f"--out {out[0]}</code>" in out[0].read_text(encoding="utf-8")
    assert "(c.svg)" in out[1].read_text(encoding="utf-8")
    assert (tmp_path / "c.svg").is_file()


def test_compare_prints_json(runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = run_main(capsys, "compare", *runs, "--json")
    document = json.loads(text)
    assert code == 0
    assert [run["test_accuracy"] for run in document["runs"]] == [0.9, None]
    assert document["differ_only_in_seed"] is True
    assert document["files"] == []


def test_wrong_usage_writes_nothing(
    runs: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    for arguments, code, message in [
        ([runs[0]], 2, "Name two run folders or more."),
        ([runs[0], runs[0]], 2, "is named twice"),
        ([runs[0], tmp_path / "absent"], 1, "No such run folder"),
        ([*runs, "--out", page, tmp_path / "page.pdf"], 2, "takes .html and .md files"),
    ]:
        given = arguments if "--out" in arguments else [*arguments, "--out", page]
        found, text, err = run_main(capsys, "compare", *given)
        assert (found, text, err.count("\n")) == (code, "", 1)
        assert message in err
    assert not page.exists()


def test_a_broken_table_is_one_line(
    runs: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    (runs[1] / "history.csv").write_text("epoch,val_accuracy\n1")
    code, _, err = run_main(capsys, "compare", *runs)
    assert code == 1
    assert err.startswith("cnn-keras: ")
    assert err.count("\n") == 1
    assert "history.csv is broken" in err
