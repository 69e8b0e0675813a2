from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cnn_keras.experiments.workspace import Workspace
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from export.recipes import DEFAULT, select
from export.studies.recipes import recipes
from tests.fixtures.finished_runs import make_interrupted, write_finished_run


def training(network: str, **recipe: Any) -> Training:
    return Training.of(network, "digits", recipe=recipe)


def test_every_file_is_a_row_and_finished_trainings_are_skipped(tmp_path: Path) -> None:
    def record() -> dict[str, Any]:
        return recipes(
            [training("lenet5", epochs=3)],
            select(()),
            Workspace(tmp_path / "runs", tmp_path / "results"),
        )

    found = record()
    path = tmp_path / "results" / "recipes_digits.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(found))
    assert [row["recipe"] for row in found["files"]] == list(DEFAULT)
    assert {row["num_images"] for row in found["files"]} == {360}
    held = {row["claim"]: row["holds"] for row in found["claims"]}
    assert held["no file needs a Flex operation"]
    assert held["every file is one XNNPACK partition"]
    assert len(held) == 5  # no size is claimed without resnet20, no loss of files not made
    model = tmp_path / "runs" / "lenet5_digits_0" / "model.keras"
    before = model.stat().st_mtime_ns
    record()
    assert model.stat().st_mtime_ns == before


def test_files_of_aware_training_have_their_own_limit(tmp_path: Path) -> None:
    found = recipes(
        [training("lenet5", epochs=3)], select(["aware_wi8_ai8"]), Workspace(tmp_path, tmp_path)
    )
    [claim] = [row for row in found["claims"] if row["claim"].startswith("aware_wi8_ai8 is within")]
    [row] = found["files"]
    assert claim["value"] == row["drop_points"]
    assert claim["holds"] == (row["drop_points"] <= 0.3)


def test_a_network_that_fails_leaves_the_others(tmp_path: Path) -> None:
    trainings = [training(name, epochs=2) for name in ("nin", "lenet5")]
    for each in trainings:
        run = write_finished_run(each, 0, tmp_path / "runs", [0.5, 0.9])
    make_interrupted(Run(tmp_path / "runs" / "nin_digits_0"))
    found = recipes(trainings, select(["float32"]), Workspace(tmp_path / "runs", tmp_path))
    assert [row["network"] for row in found["files"]] == [run.config["network"]] == ["lenet5"]
    [failed] = found["failed"]
    assert failed["run"] == "nin"
    assert "last.keras cannot be loaded" in failed["reason"]


@pytest.mark.slow
def test_trained_networks_pass_by_every_recipe_on_the_test_split(tmp_path: Path) -> None:
    given = {"epochs": 8, "batch_size": 32, "learning_rate": 0.05}
    trainings = [training(name, **given) for name in ("lenet5", "plain20", "resnet20")]
    record = recipes(trainings, select(()), Workspace(tmp_path, tmp_path))
    assert [row["claim"] for row in record["claims"] if not row["holds"]] == []
    assert min(row["top1_float"] for row in record["files"]) > 0.9
    assert len(record["claims"]) == 6
