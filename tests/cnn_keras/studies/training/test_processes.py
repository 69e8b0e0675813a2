from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import ttest_rel

from cnn_keras.errors import UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.studies.training.processes import claims, processes
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320)
ACCURACIES = {1: [0.60, 0.62, 0.64], 2: [0.61, 0.62, 0.635]}
CURVES = {"loss": [[1.0, 0.5]] * 3, "val_loss": [[2.0, 1.0]] * 3}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The record of trainings that are finished."""
    folder = tmp_path_factory.mktemp("processes")
    for count, accuracies in ACCURACIES.items():
        for seed, accuracy in enumerate(accuracies):
            path = folder / f"lenet5_{count}_processes_digits_{seed}"
            write_run(path, replace(TRAINING, seed=seed), [0.4, 0.5], accuracy)
    made = processes(TRAINING, (0, 1, 2), Workspace(folder, folder), counts=(1, 2), tolerance=0.01)
    written = json.loads((folder / "processes_lenet5_digits.json").read_text())
    assert written == json.loads(json.dumps(made))
    drawing = (folder / "processes_lenet5_digits.svg").read_text()
    assert "validation loss, a line for each seed" in drawing
    return written


def test_the_record_has_the_curves_and_scores_of_the_runs(record: dict[str, Any]) -> None:
    assert record["losses"] == {"1": CURVES, "2": CURVES}
    assert record["test_accuracy"] == {str(count): each for count, each in ACCURACIES.items()}
    assert record["budget"]["train_images"] == 400
    assert record["budget"]["train_seconds"] == {"1": [5.0] * 3, "2": [5.0] * 3}
    assert record["seeds"] == [0, 1, 2]


def test_equal_curves_and_accuracies_hold(record: dict[str, Any]) -> None:
    losses, accuracy = record["claims"]
    assert losses["holds"]
    assert losses["value"] == 0
    assert "in 2 processes instead of 1" in losses["claim"]
    assert accuracy["holds"]
    expected = ttest_rel(ACCURACIES[2], ACCURACIES[1]).confidence_interval(0.95)
    assert accuracy["interval"] == pytest.approx([expected.low, expected.high])


def test_claims_fail_where_a_curve_or_the_accuracies_differ() -> None:
    other = {**CURVES, "loss": [[1.0, 0.5], [1.0, 0.5], [1.0, 0.49]]}
    accuracies = {1: [0.60, 0.62, 0.64], 4: [0.61, 0.63, 0.651]}
    losses, accuracy = claims(TRAINING, 0.01, {1: CURVES, 4: other}, accuracies)
    assert not losses.holds
    assert losses.value == pytest.approx(0.02)
    assert "in 4 processes instead of 1" in losses.claim
    assert not accuracy.holds
    assert claims(TRAINING, 0.03, {1: CURVES, 4: other}, accuracies)[0].holds


def test_the_intervals_hold_together() -> None:
    found = claims(TRAINING, 0.01, dict.fromkeys((1, 2, 4), CURVES), {**ACCURACIES, 4: [0.7] * 3})
    expected = ttest_rel(ACCURACIES[2], ACCURACIES[1]).confidence_interval(0.975)
    assert found[1].interval == pytest.approx([expected.low, expected.high])
    assert [each.holds for each in found] == [True, True, True, False]


def test_another_training_in_a_folder_is_refused(record: dict[str, Any], tmp_path: Path) -> None:
    write_run(tmp_path / "lenet5_1_processes_digits_0", TRAINING, [0.4], 0.5)
    other = replace(TRAINING, train_images=100)
    with pytest.raises(UsageError, match="use the same options"):
        processes(other, (0, 1), Workspace(tmp_path, tmp_path), counts=(1, 2), tolerance=0.01)
