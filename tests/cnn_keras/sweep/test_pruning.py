from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.experiments.executors.executor import Task
from cnn_keras.sweep.pruning import prune
from cnn_keras.sweep.trials import Trial
from cnn_keras.training.config import Training
from tests.cnn_keras.sweep.written_trainings import WrittenTrainings


@pytest.fixture
def trials(tmp_path: Path) -> list[Trial]:
    training = Training.of("lenet5", "digits", recipe={"epochs": 2})
    accuracies = [0.5, 0.875, 0.25, 0.5, 0.75]
    made = []
    for number, accuracy in enumerate(accuracies):
        task = Task(training, tmp_path / str(number))
        made.append(Trial(number, {}, [task], "last"))
        # The second epoch is the reverse of the first.
        WrittenTrainings(lambda _, epoch, a=accuracy: a if epoch == 1 else 1 - a).train_all([task])
    return made


@pytest.mark.parametrize(
    ("keep", "epoch", "expected"),
    [
        (0.5, 1, [0, 1, 4]),  # 0 and 3 are equal: the earlier one continues
        (0.1, 1, [1]),
        (0.4, 1, [1, 4]),
        (0.2, 2, [2]),
    ],
)
def test_the_best_trials_continue(
    keep: float, epoch: int, expected: list[int], trials: list[Trial]
) -> None:
    assert [trial.number for trial in prune(trials, epoch, keep)] == expected
    pruned = [trial.number for trial in trials if trial.state == "pruned"]
    assert sorted(pruned + expected) == [0, 1, 2, 3, 4]
