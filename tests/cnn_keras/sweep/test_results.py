from __future__ import annotations

import csv
import math
from pathlib import Path

import pytest
from rich.console import Console

from cnn_keras.errors import Error
from cnn_keras.sweep.results import best_trial, document, results_table, write_results
from cnn_keras.sweep.sweep import run_sweep
from cnn_keras.sweep.sweep_file import read_sweep
from cnn_keras.sweep.trials import Trial
from cnn_keras.training.config import Training
from tests.cnn_keras.sweep.written_trainings import WrittenTrainings

TEXT = """
network = "lenet5"
data = "digits"
seeds = [0, 1]
[values]
epochs = 2
[space]
learning_rate = [0.1, 0.2, 0.4]
milestones = [[0.5]]
"""


def trials_of(folder: Path, diverging: float = 0.4) -> list[Trial]:
    (folder / "sweep.toml").write_text(TEXT)

    def accuracy(training: Training, epoch: int) -> float:
        rate = training.recipe.learning_rate
        return math.nan if rate >= diverging else rate + training.seed / 8

    sweep = read_sweep(folder / "sweep.toml")
    return run_sweep(sweep, folder, executor=WrittenTrainings(accuracy))


def test_the_best_recipe_is_one_for_train(tmp_path: Path) -> None:
    trials = trials_of(tmp_path)
    results = document(trials, tmp_path)
    write_results(results, trials, tmp_path)
    assert results["best"]["values"] == {"learning_rate": 0.2, "milestones": (0.5,)}
    assert results["best"]["validation_accuracy"] == pytest.approx(0.2625)
    assert results["best"]["test_accuracy"] == pytest.approx(0.0125)
    recipe = Training.of(
        "lenet5", "digits", recipe={}, base_recipe=str(tmp_path / "best_recipe.toml")
    ).recipe
    assert recipe == trials[1].tasks[0].training.recipe
    with (tmp_path / "trials.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["learning_rate"] for row in rows] == ["0.1", "0.2", "0.4"]
    assert [row["state"] for row in rows] == ["complete", "complete", "failed"]
    assert float(rows[0]["validation_accuracy_seed_1"]) == pytest.approx(0.225)
    assert rows[2]["validation_accuracy"] == ""


def test_the_table_begins_with_the_best(tmp_path: Path) -> None:
    console = Console(width=120, record=True)
    console.print(results_table(document(trials_of(tmp_path), tmp_path)))
    lines = [line.split() for line in console.export_text().splitlines()]
    rows = [line for line in lines if line and line[0] in ("0.1", "0.2", "0.4")]
    assert rows == [
        ["0.2", "0.5", "0.2625", "2", "complete"],
        ["0.1", "0.5", "0.1625", "2", "complete"],
        ["0.4", "0.5", "–", "0", "failed"],
    ]
    assert ["learning_rate=0.4,milestones=0.5", "failed:", "The", "loss", "is", "nan."] in lines


def test_a_sweep_without_a_complete_trial_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"No trial is complete: learning_rate=0.4.*: The loss is nan"):
        best_trial(trials_of(tmp_path, diverging=0.1))
