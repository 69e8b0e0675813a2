from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.executors.executor import Task
from cnn_keras.experiments.executors.together import Together
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.fixtures.finished_runs import make_interrupted, write_finished_run

SMALL = Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320)


def test_finished_trainings_are_skipped(tmp_path: Path) -> None:
    run = write_finished_run(SMALL, 0, tmp_path, [0.5, 0.9])
    (result,) = Together(2).train_all([Task(SMALL, run.path)])
    assert result == (run, None)
    with pytest.raises(UsageError, match="use the same options"):
        Together(2).train_all([Task(replace(SMALL, seed=1), run.path)])


@pytest.mark.slow
def test_a_failure_does_not_stop_the_others(tmp_path: Path) -> None:
    broken = write_finished_run(SMALL, 0, tmp_path, [0.5, 0.9], "broken")
    make_interrupted(broken)
    tasks = [Task(SMALL, broken.path), Task(SMALL, tmp_path / "run")]
    failed, trained = Together(2).train_all(tasks)
    assert failed.reason is not None
    assert "last.keras cannot be loaded" in failed.reason
    assert trained.reason is None
    assert [row["epoch"] for row in trained.run.history] == [1, 2]
    assert "jax" in trained.run.metrics["versions"]


@pytest.mark.slow
def test_an_interrupted_training_resumes(tmp_path: Path) -> None:
    task = Task(replace(SMALL, recipe=replace(SMALL.recipe, epochs=30)), tmp_path / "run")
    undisturbed = replace(task, out=tmp_path / "other")
    Together(2).train_all([undisturbed])

    def interrupt() -> None:
        while len(Run(task.out).history) < 2:
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt, match="after"):
        Together(2).train_all([task])
    assert not task.is_finished()
    Together(2).train_all([task])
    weights = [
        keras.models.load_model(each.out / "model.keras").get_weights()
        for each in (task, undisturbed)
    ]
    for found, expected in zip(*weights, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_a_wrong_option_stops_all(tmp_path: Path) -> None:
    odd = replace(SMALL, recipe=replace(SMALL.recipe, batch_size=31))
    with pytest.raises(UsageError, match="A batch of 31 images cannot be divided equally"):
        Together(2).train_all([Task(odd, tmp_path / "odd"), Task(SMALL, tmp_path / "run")])
    assert not list(tmp_path.iterdir())
