from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("", "Name a limit: --max-ms, --max-kb, --max-drop."),
        ("--max-ms -1", "--max-ms must be a number from 0 on, not -1."),
        ("--max-kb nan", "--max-kb must be a number from 0 on, not nan."),
        ("--max-kb 9 --threads 0", "--threads must be at least 1, not 0."),
        ("--max-kb 9 --split train", "Accuracy is measured on validation or test, not 'train'."),
        ("--max-kb 9 --max-files 5", "7 recipes and some mixes need --max-files 11 or more"),
        ("--max-kb 9 --recipes float23", "Unknown recipe 'float23'"),
        ("--max-kb 9 --ssh a b", "Name one machine with --ssh"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    lenet_run: Run, capsys: pytest.CaptureFixture[str], options: str, message: str
) -> None:
    code, out, err = run_main(capsys, "choose", lenet_run.path, *options.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (lenet_run.path / "choice").exists()


def test_a_run_that_does_not_exist_is_an_error_of_one_line(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, _, err = run_main(capsys, "choose", tmp_path / "absent", "--max-kb", "9")
    assert (code, err.count("\n")) == (1, 1)


def test_a_limit_that_cannot_be_kept_is_named_with_exit_code_1(
    chosen: Path, lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(chosen / "tried", tmp_path / "tried")
    command = ("choose", lenet_run.path, "--out", tmp_path, "--recipes", "float32")
    code, out, err = run_main(capsys, *command, "--max-kb", "20", "--max-files", "5")
    assert code == 1
    reason = "No file keeps --max-kb 20: all int4 is the smallest with"
    assert reason in " ".join(out.split())
    assert f"known from {tmp_path}" in err
    assert "5/5 " in err
    assert not list(tmp_path.glob("*.tflite"))
    assert not (tmp_path / "export.json").exists()
    code, out, _ = run_main(capsys, *command, "--max-kb", "60", "--max-files", "5", "--json")
    assert (code, json.loads(out)["chosen"]["verdict"]) == (0, "chosen")
