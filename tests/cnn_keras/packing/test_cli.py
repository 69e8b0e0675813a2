from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from cnn_keras.trained import table
from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main


def test_the_command_prints_the_row(
    lenet_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "cnn_keras/trained"
    monkeypatch.setattr(table, "FOLDER", folder)
    code, _, err = run_main(capsys, "pack-weights", lenet_run.path)
    assert (code, err.count("\n")) == (2, 1)
    assert not folder.exists()
    (tmp_path / "pyproject.toml").touch()
    code, out, _ = run_main(capsys, "pack-weights", lenet_run.path)
    assert code == 0
    weights = (folder / "lenet5_digits" / table.WEIGHTS).read_bytes()
    sha256 = hashlib.sha256(weights).hexdigest()
    assert out.endswith(f'    "lenet5:digits": "{sha256}",\n')
    code, out, _ = run_main(capsys, "pack-weights", lenet_run.path, "--json")
    document = json.loads(out)
    assert (code, document["name"], document["sha256"]) == (0, "lenet5:digits", sha256)
    metrics = json.loads((folder / "lenet5_digits/metrics.json").read_bytes())
    assert document["test_accuracy"] == metrics["test"]["accuracy"]
