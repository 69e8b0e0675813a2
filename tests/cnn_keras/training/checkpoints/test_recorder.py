from __future__ import annotations

import csv
import json
import resource
import zipfile
from pathlib import Path
from typing import Any

import keras
import pytest

from cnn_keras.errors import Error
from cnn_keras.training.checkpoints.checkpoint import Progress
from cnn_keras.training.checkpoints.recorder import Recorder
from cnn_keras.training.checkpoints.stop_request import StopRequest
from cnn_keras.training.config import Training
from cnn_keras.training.optimization.averaging import WeightAverage
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train
from tests.fixtures.image_folders import write
from tests.fixtures.interruptions import (
    assert_same_training,
    copies_before_each_rename,
    interrupt_at_step,
)


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
    recorder = Recorder(Run(tmp_path), 0, Progress(0), 10, StopRequest(), average)
    recorder.history = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "new": 3.0}]
    recorder._write_history()
    assert Run(tmp_path).history == [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0}]


SMALL = Training.of("lenet5", "digits", recipe={"epochs": 3}, train_images=320)
STEPS = 10


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return train(SMALL, tmp_path_factory.mktemp("recorder") / "undisturbed")


def test_a_training_resumes_after_the_step_that_was_interrupted(
    undisturbed: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "interrupted"
    # In the first step; in a validation; in the last step of an epoch; in the last validation.
    places = [(0, 0), (0, STEPS), (1, 3), (1, STEPS - 1), (2, STEPS)]
    for epoch, step in places:
        interrupt_at_step(SMALL, out, epoch, step)
        assert [row["epoch"] for row in Run(out).history] == list(range(1, epoch + 1))
    assert_same_training(train(SMALL, out), undisturbed)
    resumed = [line for line in capsys.readouterr().err.splitlines() if "Resume" in line]
    assert resumed == [
        f"Resume after step {min(step + 1, STEPS)} of epoch {epoch + 1} of 3."
        for epoch, step in places
    ]
    assert {path.name for path in out.iterdir()} == {p.name for p in undisturbed.path.iterdir()}


def test_a_killed_training_resumes_after_its_last_checkpoint(
    undisturbed: Run, tmp_path: Path
) -> None:
    out, states = tmp_path / "killed", tmp_path / "states"
    with copies_before_each_rename(out, states) as copies:
        train(SMALL, out, save_every=7)
    checkpoints = [state / "last.keras" for state in copies if (state / "last.keras").is_file()]
    steps = []
    for checkpoint in checkpoints[::4]:
        with zipfile.ZipFile(checkpoint) as archive:
            steps.append(json.loads(archive.comment or b"{}").get("step", 0))
        assert_same_training(train(SMALL, checkpoint.parent, save_every=7), undisturbed)
    assert {7, 4, 8} & {*steps}  # within epochs


def test_a_training_of_image_files_resumes_within_an_epoch(tmp_path: Path) -> None:
    data = write(tmp_path / "images", count=20)
    recipe = {"epochs": 2, "batch_size": 8, "shift": 0.1}
    training = Training.of("lenet5", f"folder:{data}", recipe=recipe)
    undisturbed = train(training, tmp_path / "undisturbed")
    interrupt_at_step(training, tmp_path / "interrupted", epoch=1, step=2)
    assert_same_training(train(training, tmp_path / "interrupted"), undisturbed)


def test_a_full_disk_keeps_the_last_checkpoint(undisturbed: Run, tmp_path: Path) -> None:
    out = tmp_path / "full"
    _, limit = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(recorder: Recorder, batch: int, logs: Any = None) -> None:
        if (recorder.epoch, recorder.step) == (1, 5):
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limit))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Recorder, "on_train_batch_begin", fill)
        try:
            with pytest.raises(Error) as raised:
                train(SMALL, out, save_every=2)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    assert str(raised.value) == (
        f"{out / 'last.keras'} cannot be written (File too large): when it can, the same command "
        f"resumes {out} after step 4 of epoch 2."
    )
    assert not [path for path in out.iterdir() if path.name.startswith(".")]
    assert_same_training(train(SMALL, out), undisturbed)
