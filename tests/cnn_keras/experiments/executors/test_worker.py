from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

from cnn_keras.experiments.executors.executor import Task
from cnn_keras.experiments.executors.worker import Request
from cnn_keras.training.config import Training


def test_a_worker_saves_its_training_when_its_parent_ends(tmp_path: Path) -> None:
    out = tmp_path / "run"
    training = Training.of("lenet5", "digits", recipe={"epochs": 1000}, train_images=320)
    process = subprocess.Popen(
        [sys.executable, "-m", "cnn_keras.experiments.executors.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdin.write(pickle.dumps(Request(Task(training, out), 1)))
        process.stdin.flush()
        assert process.stderr.readline().startswith(b"epoch 1/1000")
        process.stdin.close()
        lines = process.stderr.read().decode().splitlines()
        assert process.stdout.read() == b""
    assert process.returncode == 143
    assert lines[-1].startswith("Terminated; the same command resumes it after ")
    assert (out / "last.keras").is_file()
    assert not (out / ".lock").exists()
