from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.fixtures.command_line import run_main

TEXT = """
network = "lenet5"
data = "digits"
train_images = 320
[values]
epochs = 2
[space]
learning_rate = [0.05, 0.001]
[pruning]
epochs = [1]
"""


def test_a_sweep_trains_and_resumes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sweep.toml").write_text(TEXT)
    arguments = ("sweep", tmp_path / "sweep.toml", "--out", tmp_path / "runs", "--json")
    code, out, err = run_main(capsys, *arguments)
    assert code == 0
    found = json.loads(out)
    assert [(row["state"], row["epochs"]) for row in found["trials"]] == [
        ("complete", 2),
        ("pruned", 1),
    ]
    assert found["best"]["values"] == {"learning_rate": 0.05}
    assert 0 < found["best"]["test_accuracy"] < 1
    assert "Resume after epoch 1 of 2." in err
    again = run_main(capsys, *arguments)
    assert again[:2] == (0, out)
    assert "epoch 1/2" not in again[2]
    assert "epoch 2/2" not in again[2]


def test_a_wrong_key_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "sweep.toml").write_text(TEXT.replace("epochs = [1]", "epoch = [1]"))
    code, out, err = run_main(capsys, "sweep", tmp_path / "sweep.toml", "--out", tmp_path / "runs")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "pruning: Unknown key 'epoch'. Did you mean 'epochs'?" in err
    assert not (tmp_path / "runs").exists()
