from __future__ import annotations

import math
import sys
from pathlib import Path

import pytest

from cnn_keras.errors import Error
from cnn_keras.sweep.optuna_search import OptunaSearch
from cnn_keras.sweep.sweep import run_sweep
from cnn_keras.sweep.sweep_file import Search, SweepFile, read_sweep
from cnn_keras.training.config import Training
from tests.cnn_keras.sweep.written_trainings import WrittenTrainings

TEXT = """
network = "lenet5"
data = "digits"
[values]
epochs = 4
[space]
learning_rate = { low = 1e-4, high = 1, log = true }
batch_size = { low = 16, high = 64 }
milestones = [[0.5], [0.25, 0.75]]
[search]
method = "tpe"
trials = 24
seed = 1
"""


def sweep_of(folder: Path, text: str) -> SweepFile:
    (folder / "sweep.toml").write_text(text)
    return read_sweep(folder / "sweep.toml")


def accuracy(training: Training, epoch: int) -> float:
    """It falls by 0.1 for each power of ten between the learning rate and 0.01."""
    return 0.8 - abs(math.log10(training.recipe.learning_rate) + 2) / 10 + epoch / 100


def test_a_sampler_without_optuna_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(Error, match=r"The method tpe needs Optuna: pip install"):
        OptunaSearch({}, Search("tpe", 1), None)


@pytest.mark.executors
def test_later_trials_are_better_than_the_first_ones(tmp_path: Path) -> None:
    trials = run_sweep(sweep_of(tmp_path, TEXT), tmp_path, executor=WrittenTrainings(accuracy))
    accuracies = [trial.accuracy() for trial in trials]
    assert len(accuracies) == 24
    assert sum(accuracies[12:]) > sum(accuracies[:12]) + 0.2
    recipes = [trial.tasks[0].training.recipe for trial in trials]
    assert {recipe.milestones for recipe in recipes} == {(0.5,), (0.25, 0.75)}
    assert all(16 <= recipe.batch_size <= 64 for recipe in recipes)


@pytest.mark.executors
@pytest.mark.parametrize("pruning", ['optuna = "median"', 'optuna = "hyperband"', "keep = 0.5"])
def test_a_resumed_sweep_asks_the_same(pruning: str, tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, f"{TEXT}[pruning]\nepochs = [1, 2]\n{pruning}\n")
    trials = run_sweep(sweep, tmp_path, executor=WrittenTrainings(accuracy))
    assert {trial.state for trial in trials} == {"complete", "pruned"}
    again = WrittenTrainings(accuracy)
    repeated = run_sweep(sweep, tmp_path, executor=again)
    assert [(t.name, t.state) for t in repeated] == [(t.name, t.state) for t in trials]
    assert again.written == []


@pytest.mark.executors
def test_a_trial_that_fails_does_not_stop_a_sampler(tmp_path: Path) -> None:
    def diverging(training: Training, epoch: int) -> float:
        return math.nan if training.recipe.learning_rate > 0.1 else accuracy(training, epoch)

    executor = WrittenTrainings(diverging)
    trials = run_sweep(sweep_of(tmp_path, TEXT), tmp_path, executor=executor)
    assert {trial.state for trial in trials} == {"complete", "failed"}


@pytest.mark.executors
def test_quasi_random_trials_follow_from_the_seed(tmp_path: Path) -> None:
    sweep = sweep_of(tmp_path, TEXT.replace('"tpe"', '"qmc"').replace("24", "6"))
    names = [
        [trial.name for trial in run_sweep(sweep, tmp_path, executor=WrittenTrainings(accuracy))]
        for _ in range(2)
    ]
    assert names[0] == names[1]
    assert len({*names[0]}) == 6
