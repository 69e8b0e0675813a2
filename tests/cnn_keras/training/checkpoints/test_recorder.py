from __future__ import annotations

import csv
from pathlib import Path

import keras
import pytest

from cnn_keras.errors import Error
from cnn_keras.training.checkpoints.recorder import Recorder
from cnn_keras.training.config import Training
from cnn_keras.training.optimization.averaging import WeightAverage
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train


def test_an_infinite_loss_stops_the_training(tmp_path: Path) -> None:
    recipe = {"epochs": 4, "learning_rate": 1e30}
    wild = Training.of("lenet5", "digits", recipe=recipe, train_images=320, seed=5)
    with pytest.raises(Error, match="lower --learning-rate"):
        train(wild, tmp_path / "wild")
    assert not (tmp_path / "wild" / "model.keras").exists()


def test_a_finished_run_has_a_table_and_no_temporary_files(lenet_run: Run) -> None:
    with (lenet_run.path / "history.csv").open() as file:
        header = next(csv.reader(file))
    assert header[:3] == ["epoch", "seconds", "learning_rate"]
    assert header[-1] == "images_per_second"
    assert not [path for path in lenet_run.path.iterdir() if path.name.startswith(".")]


def test_a_table_of_an_earlier_version_keeps_its_columns(tmp_path: Path) -> None:
    average = WeightAverage(keras.Sequential(), [])
    recorder = Recorder(Run(tmp_path), seed=0, first_epoch=0, average=average)
    recorder.history = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "new": 3.0}]
    recorder._write_history()
    assert Run(tmp_path).history == [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]
