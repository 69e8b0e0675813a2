"""A Ray cluster of two worker nodes on this machine, which the tests start."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.experiments.executors.executor import Task
from cnn_keras.experiments.executors.ray_cluster import RayCluster
from cnn_keras.sweep.sweep_file import read_sweep
from cnn_keras.sweep.trials import Trial
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.executors.in_order import train_in_order
from tests.fixtures.command_line import run_main
from tests.fixtures.interruptions import assert_same_training

pytestmark = pytest.mark.executors

SWEEP = """
network = "lenet5"
data = "digits"
train_images = 160
[values]
epochs = 1
[space]
learning_rate = [0.01, 0.02, 0.05, 0.1]
batch_size = [16, 32, 64]
"""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"object_store_memory": 80 * 2**20}
    cluster = Cluster(True, head_node_args={**node, "num_cpus": 0, "include_dashboard": False})
    for _ in range(2):
        cluster.add_node(**node, num_cpus=1)
    yield cluster.address

    cluster.shutdown()


def member(seed: int, epochs: int) -> Training:
    return Training.of("lenet5", "digits", recipe={"epochs": epochs}, train_images=320, seed=seed)


class Kill(threading.Thread):
    """Kills the process of a training in its third epoch; its lock names it."""

    def __init__(self, out: Path) -> None:
        super().__init__(daemon=True)
        self.out = out
        self.history: list[dict[str, float]] = []

    def run(self) -> None:
        while len(self.history) < 2:  # the row of an epoch is written before its checkpoint
            time.sleep(0.02)
            self.history = Run(self.out).history
        os.kill(int((self.out / ".lock").read_text().split()[1]), signal.SIGKILL)


def test_the_members_of_an_ensemble_train_on_two_nodes(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    epochs, runs = 6, tmp_path / "runs"
    kill = Kill(runs / "lenet5_digits_1")
    kill.start()
    code, out, err = run_main(
        *(capsys, "study", "ensemble", "--network", "lenet5", "--data", "digits"),
        *("--against", "None", "--seeds", "0", "1", "2", "3", "4", "--epochs", str(epochs)),
        *("--train-images", "320", "--image-size", "0", "--batch-size", "32"),
        *("--learning-rate", "0.05", "--runs", runs, "--out", tmp_path, "--ray", address, "--json"),
    )
    assert code == 0
    assert json.loads(out)["seeds"] == [0, 1, 2, 3, 4]
    lines = err.splitlines()
    for seed in range(5):
        for epoch in range(1, epochs + 1):
            name = f"lenet5_digits_{seed}: epoch {epoch}/{epochs} "
            assert len([line for line in lines if line.startswith(name)]) == 1
    tasks = [Task(member(seed, epochs), tmp_path / f"in_order_{seed}") for seed in range(5)]
    train_in_order(tasks, threads=1)
    for seed, task in enumerate(tasks):
        assert_same_training(Run(runs / f"lenet5_digits_{seed}"), Run(task.out))
    # The measured seconds of the first epoch show that it was not trained again.
    assert 2 <= len(kill.history) < epochs
    assert Run(kill.out).history[0] == kill.history[0]


def test_a_sweep_of_twelve_trains_on_two_nodes(
    address: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sweep.toml").write_text(SWEEP)
    arguments = ("sweep", tmp_path / "sweep.toml", "--out", tmp_path / "runs", "--json")
    code, out, _ = run_main(capsys, *arguments, "--ray", address)
    assert code == 0
    found = json.loads(out)
    assert len(found["trials"]) == 12
    sweep = read_sweep(tmp_path / "sweep.toml")
    trials = [
        Trial.of(number, sweep, row["values"], tmp_path / "in_order", None)
        for number, row in enumerate(found["trials"])
    ]
    train_in_order([task for trial in trials for task in trial.tasks], threads=1)
    for trial, row in zip(trials, found["trials"], strict=True):
        assert row["validation_accuracy"] == trial.accuracy()
        assert_same_training(Run(Path(row["runs"][0])), trial.runs[0])


def test_an_interrupted_training_is_saved(address: str, tmp_path: Path) -> None:
    task = Task(member(0, 1000), tmp_path / "run")

    def interrupt() -> None:
        while not Run(task.out).history:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        RayCluster(address, 1).train_all([task])
    assert not (task.out / ".lock").exists()
    assert (task.out / "last.keras").is_file()


def test_a_training_needs_a_node_that_is_large_enough(address: str) -> None:
    with pytest.raises(UsageError, match=r"needs 3 CPUs, and the largest node of .* has 1: lower"):
        RayCluster(address, 3).require_cluster()
