"""A run with a card: its exported files beside it, two of them measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.cli import main


@pytest.fixture(scope="session")
def carded(lenet_run: Run, exported: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cards") / "lenet5_digits"
    shutil.copytree(lenet_run.path, folder, ignore=shutil.ignore_patterns("best.*", "last.*"))
    files = shutil.copytree(exported, folder / "files")
    document = json.loads((files / "export.json").read_bytes()) | {"run": ".."}
    (files / "export.json").write_text(json.dumps(document))
    paths = [
        str(files / f"lenet5_digits_{recipe}.tflite") for recipe in ("float32", "static_wi8_ai8")
    ]
    quick = ["--num-runs", "5", "--min-secs", "0", "--warmup-secs", "0"]
    assert main(["benchmark", *paths, "--threads", "1", "2", *quick]) == 0
    assert main(["card", str(folder)]) == 0
    return folder


@pytest.fixture
def folder(carded: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    return Path(shutil.copytree(carded, tmp_path / "lenet5_digits"))
