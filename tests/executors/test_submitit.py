"""submitit with its local executor, and with stand-ins for SLURM's commands."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest

from cnn_keras.errors import Error
from cnn_keras.experiments.executors.executor import Task
from cnn_keras.experiments.executors.slurm import FOLDER, Slurm
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from tests.executors.in_order import train_in_order
from tests.executors.slurm_commands import install
from tests.fixtures.interruptions import assert_same_training

pytestmark = pytest.mark.executors


def training(seed: int, epochs: int = 20) -> Training:
    return Training.of("lenet5", "digits", recipe={"epochs": epochs}, train_images=320, seed=seed)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    """Two trainings in order."""
    folder = tmp_path_factory.mktemp("in_order")
    tasks = [Task(training(seed), folder / str(seed)) for seed in (0, 1)]
    train_in_order(tasks, threads=1)
    return [Run(task.out) for task in tasks]


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Slurm:
    (tmp_path / "bin").mkdir()
    install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    return Slurm("debug", 1, minutes=5)


def after_an_epoch(out: Path, *signals: signal.Signals, this_process: bool = False) -> None:
    """Send signals to the process of a training, which its lock names, or to this process."""

    def send() -> None:
        while not Run(out).history:
            time.sleep(0.02)
        pid = os.getpid() if this_process else int((out / ".lock").read_text().split()[1])
        for number in signals:
            os.kill(pid, number)

    threading.Thread(target=send, daemon=True).start()


def log_of(runs: Path) -> str:
    return "".join(path.read_text() for path in (runs / FOLDER).glob("*_log.err"))


def test_a_preempted_job_of_slurm_resumes(
    slurm: Slurm, expected: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = [Task(training(seed), tmp_path / f"run_{seed}") for seed in (0, 1)]
    after_an_epoch(tasks[0].out, signal.SIGTERM, signal.SIGUSR2)  # as SLURM does
    slurm.require_slurm()
    results = slurm.train_all(tasks)
    assert [result.reason for result in results] == [None, None]
    for result, run in zip(results, expected, strict=True):
        assert_same_training(result.run, run)
    assert log_of(tmp_path).count("\nResume after ") == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Submitted 2 jobs: 1_0, 1_1."
    for seed in (0, 1):
        assert len([line for line in lines if line.startswith(f"run_{seed}: epoch ")]) == 20


def test_a_preempted_job_of_the_local_executor_resumes(expected: list[Run], tmp_path: Path) -> None:
    task = Task(training(0), tmp_path / "run")
    after_an_epoch(task.out, signal.SIGUSR2)
    [result] = Slurm("", 1, minutes=5, cluster="local").train_all([task])
    assert result.reason is None
    assert_same_training(result.run, expected[0])
    assert log_of(tmp_path).count("\nResume after ") == 1


def test_an_interrupted_study_saves_the_jobs(slurm: Slurm, tmp_path: Path) -> None:
    task = Task(training(0, epochs=1000), tmp_path / "run")
    after_an_epoch(task.out, signal.SIGINT, this_process=True)
    with pytest.raises(KeyboardInterrupt):
        slurm.train_all([task])
    assert (task.out / "last.keras").is_file()
    assert not (task.out / ".lock").exists()


def test_jobs_that_slurm_refuses_are_one_line(slurm: Slurm, tmp_path: Path) -> None:
    full = Slurm("full", 1)
    with pytest.raises(Error, match="SLURM refuses the jobs: "):
        full.train_all([Task(training(0), tmp_path / "run")])
