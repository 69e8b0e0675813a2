from __future__ import annotations

import math
from pathlib import Path

import pytest

from cnn_keras.sweep.sweep import run_sweep
from cnn_keras.sweep.sweep_file import SweepFile, read_sweep
from cnn_keras.training.config import Training
from tests.cnn_keras.sweep.written_trainings import WrittenTrainings

TEXT = """
network = "lenet5"
data = "digits"
seeds = [0, 1]
[values]
epochs = 4
[space]
learning_rate = [0.1, 0.2, 0.4, 0.8]
[pruning]
epochs = [1, 2]
"""


def accuracy(training: Training, epoch: int) -> float:
    """A higher rate is better, but the highest diverges in the second epoch."""
    rate = training.recipe.learning_rate
    return math.nan if rate == 0.8 and epoch == 2 else rate + epoch / 100


@pytest.fixture
def sweep(tmp_path: Path) -> SweepFile:
    (tmp_path / "sweep.toml").write_text(TEXT)
    return read_sweep(tmp_path / "sweep.toml")


def test_worse_trials_end_early(
    sweep: SweepFile, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    executor = WrittenTrainings(accuracy)
    trials = run_sweep(sweep, tmp_path, executor=executor)
    assert [trial.state for trial in trials] == ["pruned", "pruned", "complete", "failed"]
    assert trials[3].reason == "The loss is nan."
    assert [trial.epochs for trial in trials] == [1, 1, 4, 1]
    first, rest = executor.written[:8], executor.written[8:]
    assert [epoch for _, epoch in first] == [1] * 8
    assert [name for name, _ in rest] == [
        *("learning_rate=0.4,seed=0", "learning_rate=0.4,seed=1"),
        *["learning_rate=0.4,seed=0"] * 2,
        *["learning_rate=0.4,seed=1"] * 2,
    ]
    assert capsys.readouterr().err.splitlines() == [
        "After epoch 1, 2 of 4 trials continue.",
        "After epoch 2, 1 of 1 trials continue.",
    ]


def test_a_sweep_resumes_from_its_folders(sweep: SweepFile, tmp_path: Path) -> None:
    trials = run_sweep(sweep, tmp_path, executor=WrittenTrainings(accuracy))
    again = WrittenTrainings(accuracy)
    repeated = run_sweep(sweep, tmp_path, executor=again)
    assert [trial.state for trial in repeated] == [trial.state for trial in trials]
    assert again.written == []
