from __future__ import annotations

import json
from typing import Any

import pytest
from scipy.stats import ttest_rel

from cnn_keras.experiments.workspace import Workspace
from cnn_keras.studies.training.training_recipes import claims, training_recipes
from cnn_keras.training.config import Training
from tests.fixtures.finished_runs import write_finished_run

TRAININGS = {
    "paper": Training.of("lenet5", "digits", recipe={"epochs": 2}, train_images=320),
    "modern": Training.of(
        "lenet5", "digits", recipe={"epochs": 2}, train_images=320, base_recipe="modern"
    ),
}
ACCURACIES = {"paper": [0.60, 0.62, 0.64], "modern": [0.70, 0.73, 0.74]}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("training_recipes")
    for name, training in TRAININGS.items():
        for seed, accuracy in enumerate(ACCURACIES[name]):
            history, path = [0.3, accuracy + 0.2], f"lenet5_{name}_digits_{seed}"
            run = write_finished_run(training, seed, folder, history, path)
            validation = {"accuracy": accuracy + 0.1}
            metrics = run.metrics | {"validation": validation, "train_seconds": 1.5}
            run.write_json("metrics.json", metrics)
    made = training_recipes(TRAININGS, (0, 1, 2), Workspace(folder, folder))
    written = json.loads((folder / "training_recipes_lenet5_digits.json").read_text())
    assert written == json.loads(json.dumps(made))
    drawing = (folder / "training_recipes_lenet5_digits.svg").read_text()
    assert drawing.count("seed ") == 3
    return written


def test_the_claim_is_that_of_a_paired_t_test(record: dict[str, Any]) -> None:
    (claim,) = record["claims"]
    expected = ttest_rel(ACCURACIES["modern"], ACCURACIES["paper"]).confidence_interval(0.95)
    assert claim["value"] == pytest.approx((0.10 + 0.11 + 0.10) / 3)
    assert claim["interval"] == pytest.approx([expected.low, expected.high])
    assert claim["holds"]
    assert "by the recipe modern than by paper, after 2 epochs of each" in claim["claim"]


def test_the_record_has_scores_and_recipes(record: dict[str, Any]) -> None:
    assert record["seeds"] == [0, 1, 2]
    assert record["test_accuracy"]["modern"] == pytest.approx(ACCURACIES["modern"])
    assert record["validation_accuracy"]["paper"] == pytest.approx([0.70, 0.72, 0.74])
    assert record["recipes"]["modern"]["schedule"] == "cosine"
    assert "schedule" not in record["recipes"]["paper"]
    assert record["budget"]["train_images"] == 320
    assert record["budget"]["train_seconds"] == {"paper": [1.5] * 3, "modern": [1.5] * 3}


def test_a_claim_fails_where_the_interval_has_zero() -> None:
    scores = {"paper": [0.60, 0.62, 0.64], "better": [0.60, 0.66, 0.65], "worse": [0.5, 0.52, 0.54]}
    better, worse = claims(TRAININGS["paper"], scores)
    assert better.value > 0
    assert not better.holds
    assert worse.value == pytest.approx(-0.1)
    assert not worse.holds
