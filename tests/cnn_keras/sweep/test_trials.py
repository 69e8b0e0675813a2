from __future__ import annotations

from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.sweep.sweep_file import SweepFile, read_sweep
from cnn_keras.sweep.trials import Trial, trial_name
from tests.cnn_keras.sweep.written_trainings import WrittenTrainings

TEXT = """
network = "lenet5"
data = "digits"
seeds = [0, 4]
objective = "OBJECTIVE"
[values]
epochs = 3
[space]
learning_rate = [0.1]
"""


def sweep_of(folder: Path, objective: str = "last") -> SweepFile:
    (folder / "sweep.toml").write_text(TEXT.replace("OBJECTIVE", objective))
    return read_sweep(folder / "sweep.toml")


@pytest.mark.parametrize(
    ("objective", "expected", "of_two"), [("last", 0.25, 0.5), ("best", 0.625, 0.625)]
)
def test_the_accuracy_is_the_mean_over_seeds(
    objective: str, expected: float, of_two: float, tmp_path: Path
) -> None:
    trial = Trial.of(0, sweep_of(tmp_path, objective), {"learning_rate": 0.1}, tmp_path, None)
    names = ["learning_rate=0.1,seed=0", "learning_rate=0.1,seed=4"]
    assert [run.path.name for run in trial.runs] == names
    curves = {0: (0.5, 0.25, 0.125), 4: (0.5, 0.75, 0.375)}
    written = WrittenTrainings(lambda training, epoch: curves[training.seed][epoch - 1])
    trial.take(written.train_all(trial.tasks))
    assert (trial.state, trial.epochs) == ("running", 3)
    assert trial.accuracy() == expected
    assert trial.accuracy(2) == of_two


def test_impossible_values_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"The trial batch_size=-1 is not possible: The batch"):
        Trial.of(0, sweep_of(tmp_path), {"batch_size": -1}, tmp_path, None)


def test_names_fit_into_a_folder() -> None:
    long = {f"value_{index}": index / 7 for index in range(30)}
    assert len(trial_name(long).encode()) < 230
    assert trial_name(long) != trial_name(long | {"value_29": 5})
