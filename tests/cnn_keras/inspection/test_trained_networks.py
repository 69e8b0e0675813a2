from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnn_keras.inspection.trained_networks import documents, table
from cnn_keras.trained.table import TRAINED
from cnn_keras.training.config import Training
from tests.fixtures.command_line import run_main


def test_the_list_has_the_results_and_the_recipe(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "list", "--weights", "--json")
    rows = {row["name"]: row for row in json.loads(out)}
    assert (code, list(rows)) == (0, list(TRAINED))
    digits = rows["lenet5:digits"]
    low, high = digits["test_accuracy_interval"]
    assert 0.97 < low < digits["test_accuracy"] < high <= 1
    assert digits["num_test_images"] == 360
    assert digits["license"] == "CC BY 4.0"
    assert digits["sha256"] == TRAINED["lenet5:digits"].sha256
    # By this recipe, `train` has the same configuration again.
    training = Training.of("lenet5", "digits", recipe={}, base_recipe=digits["recipe"])
    config = json.loads((Path(digits["recipe"]).parent / "config.json").read_bytes())
    assert json.loads(json.dumps(training.recipe.to_dict())) == config["recipe"]
    assert digits["recipe_changes"]["schedule"] == "cosine"
    assert digits["weights"] is None
    assert rows["resnet56:fashion_mnist"]["weights"] == "resnet20:fashion_mnist"


def test_a_deeper_network_is_no_less_accurate() -> None:
    accuracy = {row["name"]: row["test_accuracy"] for row in documents()}
    assert accuracy["resnet56:fashion_mnist"] >= accuracy["resnet20:fashion_mnist"]


def test_remarks_stand_below_the_table() -> None:
    rows = documents()
    for row in rows:
        row["remarks"] = []
    rows[1]["remarks"] = ["Scans of 1998."]
    assert table(rows).caption.startswith(f"{rows[1]['name']}: Scans of 1998.\nThe recipes are")


def test_the_table_shows_the_hash_and_the_interval(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_main(capsys, "list", "--weights")
    assert code == 0
    assert "lenet5:digits" in out
    assert TRAINED["lenet5:digits"].sha256[:12] in out
    assert " to 99." in out
