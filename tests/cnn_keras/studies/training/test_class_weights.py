from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.errors import UsageError
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.studies.cli import STUDIES
from cnn_keras.studies.training.class_weights import claims, class_weights
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run

TRAINING = Training.of("lenet5", "digits", recipe={"epochs": 1, "flip": True}, train_images=400)
NAMES = [
    f"lenet5_{name}_digits_1to8_{seed}" for seed in (2, 3) for name in ("unweighted", "balanced")
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("class_weights")
    class_weights(TRAINING, (2, 3), Workspace(folder / "runs", folder), imbalance=8)
    return folder


@pytest.fixture(scope="module")
def record(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "class_weights_lenet5_digits.json").read_text())


def test_both_trainings_of_a_seed_have_the_same_images(folder: Path) -> None:
    runs = [Run.open(folder / "runs" / name) for name in NAMES]
    assert [run.config.get("class_weights") for run in runs] == [None, "balanced"] * 2
    assert [run.config["seed"] for run in runs] == [2, 2, 3, 3]
    files = [run.config["data"] for run in runs]
    assert files[0] == files[1] == f"npz:{(folder / 'runs' / 'digits_1to8_2.npz').resolve()}"
    assert files[2] == files[3] != files[0]
    assert not any(run.config["recipe"]["flip"] for run in runs)  # it would change the digits
    labels = runs[0].dataset().train.labels
    counts = np.bincount(labels)
    assert counts[0] == pytest.approx(8 * counts[-1], abs=4)
    assert len(labels) == runs[0].metrics["num_train_images"]


def test_the_record_has_the_scores_of_the_runs(record: dict[str, Any], folder: Path) -> None:
    metrics = [Run.open(folder / "runs" / name).metrics["test"] for name in NAMES]
    scores = [each["balanced_accuracy"] for each in metrics]
    assert record["balanced_accuracy"] == {"unweighted": scores[::2], "balanced": scores[1::2]}
    assert record["recall"]["balanced"] == [each["recall"] for each in metrics[1::2]]
    (claim,) = record["claims"]
    assert claim["value"] == pytest.approx((scores[1] - scores[0] + scores[3] - scores[2]) / 2)
    assert claim["holds"] == (claim["interval"][0] > 0)
    assert record["seeds"] == [2, 3]
    assert record["budget"]["train_images"] == sum(record["class_images"].values()) < 400
    assert "balanced test accuracy" in (folder / "class_weights_lenet5_digits.svg").read_text()


def test_the_learning_rate_is_chosen_on_the_validation_split(folder: Path) -> None:
    rates = (0.05, 0.0005)
    record = class_weights(
        TRAINING,
        (2, 3),
        Workspace(folder / "rates" / "runs", folder / "rates"),
        imbalance=8,
        learning_rates=rates,
    )
    assert record["budget"]["learning_rate"] == list(rates)
    for name in ("unweighted", "balanced"):
        rows = record["balanced_accuracy_by_learning_rate"][name]
        assert [row["learning_rate"] for row in rows] == list(rates)
        for index, seed in enumerate((2, 3)):
            runs = [
                Run.open(folder / "rates" / "runs" / f"lenet5_{name}_{rate:g}_digits_1to8_{seed}")
                for rate in rates
            ]
            assert [run.config["recipe"]["learning_rate"] for run in runs] == list(rates)
            for split in ("validation", "test"):
                found = [run.metrics[split]["balanced_accuracy"] for run in runs]
                assert found == [row[split][index] for row in rows]
            best = max(rows, key=lambda row: row["validation"][index])
            assert record["learning_rate"][name][index] == best["learning_rate"]
            assert record["balanced_accuracy"][name][index] == best["test"][index]


def test_finished_runs_are_skipped(record: dict[str, Any], folder: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in folder.glob("runs/*/model.keras")}
    again = class_weights(TRAINING, (2, 3), Workspace(folder / "runs", folder), imbalance=8)
    assert json.loads(json.dumps(again)) == record
    assert len(times) == 4
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_the_claim_is_about_the_balanced_training() -> None:
    scores = {"unweighted": [0.5, 0.52, 0.51], "balanced": [0.6, 0.63, 0.6]}
    (claim,) = claims(TRAINING, 50, scores)
    assert claim.holds
    assert claim.value == pytest.approx(0.1)
    assert "an imbalance of 50 to 1" in claim.claim
    (reverse,) = claims(TRAINING, 50, dict(zip(scores, reversed(scores.values()), strict=True)))
    assert not reverse.holds


def test_image_files_are_refused(tmp_path: Path) -> None:
    training = replace(TRAINING, data="folder:/flowers")
    with pytest.raises(UsageError, match="folder:/flowers is not stored as arrays"):
        class_weights(training, (0, 1), Workspace(tmp_path / "runs", tmp_path), imbalance=8)
    assert not list(tmp_path.iterdir())
    assert datasets.stored_shape("digits", None) is not None


@pytest.mark.parametrize("rates", [(0.1, 0.1), (0.0,), (float("nan"),)])
def test_wrong_learning_rates_are_refused(rates: tuple[float, ...], tmp_path: Path) -> None:
    study = STUDIES["class-weights"](
        learning_rates=rates, out=tmp_path / "out", runs=tmp_path / "runs"
    )
    with pytest.raises(UsageError, match="--learning-rates takes different numbers above 0"):
        study()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("imbalance", [0.5, float("nan"), float("inf")])
def test_a_wrong_imbalance_is_refused(imbalance: float, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--imbalance must be a number of at least 1"):
        STUDIES["class-weights"](imbalance=imbalance, out=tmp_path, runs=tmp_path / "runs")()
    assert not list(tmp_path.iterdir())
