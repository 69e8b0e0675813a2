from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from cnn_keras.experiments.executors.executor import IN_ORDER, Result, Task
from cnn_keras.experiments.executors.processes import Processes
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import make_interrupted, write_finished_run
from tests.fixtures.interruptions import assert_same_training

THREADS = len(os.sched_getaffinity(0))  # those of TensorFlow in this process


def small(seed: int, epochs: int = 1) -> Training:
    return Training.of("lenet5", "digits", recipe={"epochs": epochs}, train_images=320, seed=seed)


def kill_after_an_epoch(folder: Path) -> None:
    """Kill the process of a training; its lock names it."""
    while not (folder / "history.csv").is_file():
        time.sleep(0.05)
    os.kill(int((folder / ".lock").read_text().split()[1]), signal.SIGKILL)


def test_processes_train_as_this_process(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_finished_run(small(0), 0, tmp_path, [0.5], "broken")
    make_interrupted(broken)
    killed = Task(small(2, epochs=1000), tmp_path / "killed")
    threading.Thread(target=kill_after_an_epoch, args=[killed.out], daemon=True).start()
    tasks = [Task(small(0), tmp_path / "process"), Task(small(0), broken.path), killed]
    first, second, third, again = Processes(2, THREADS).train_all([*tasks, tasks[0]])
    assert again == first == Result(first.run)
    assert "last.keras cannot be loaded" in str(second.reason)
    assert third.reason == "Its process was ended by SIGKILL; the same command resumes it."
    lines = capsys.readouterr().err.splitlines()
    assert f"broken failed: {second.reason}" in lines
    assert [line for line in lines if line.startswith("process: epoch 1/1  loss ")]
    assert not [line for line in lines if not line.startswith(("process", "broken", "killed"))]
    [expected] = IN_ORDER.train_all([Task(small(0), tmp_path / "in_order")])
    assert_same_training(first.run, expected.run)
