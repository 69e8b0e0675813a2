from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest

from cnn_keras.training.checkpoints.checkpoint import (
    Progress,
    load_checkpoint,
    remove_leftovers,
    save_checkpoint,
)
from cnn_keras.training.run_folder import Run


@pytest.mark.parametrize(
    "progress", [Progress(0, 3, 1.5, [0.1, 3.0]), Progress(6), Progress(5, 10, 0.25, [2.5])]
)
def test_progress_comes_back(progress: Progress, lenet_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(lenet_run.path, tmp_path / "run"))
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    model.optimizer.iterations.assign(10 * progress.epoch + progress.step)
    save_checkpoint(run, model, progress)
    loaded, found = load_checkpoint(run, 10)
    assert found == progress
    for weight, expected in zip(loaded.weights, model.weights, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy())
    assert len(zipfile.ZipFile(run.path / "last.keras").namelist()) == 3


def test_progress_is_described() -> None:
    assert str(Progress(2)) == "after epoch 2"
    assert str(Progress(2, 5)) == "after step 5 of epoch 3"


def test_only_temporary_files_of_trainings_are_removed(tmp_path: Path) -> None:
    kept = ["last.keras", ".7.mine.keras.bak", ".lock", "history.csv", ".notes.md", "tmp"]
    removed = [".7.last.keras", ".12345.best.keras", ".history.csv.a1b2c3d_", "tmpa1b2c3d_"]
    for name in kept + removed:
        (tmp_path / name).touch()
    (tmp_path / "tmp12345678").mkdir()
    remove_leftovers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "tmp12345678"}
