from __future__ import annotations

import json
from pathlib import Path

import pytest

from export.recipes import DEFAULT
from export.studies.recipes import recipes


def test_every_file_is_a_row_and_finished_trainings_are_skipped(tmp_path: Path) -> None:
    arguments = (("lenet5",), "digits", {"epochs": 3}, 0, tmp_path / "runs", tmp_path / "results")
    record = recipes(*arguments)
    path = tmp_path / "results" / "recipes_digits.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert [row["recipe"] for row in record["files"]] == list(DEFAULT)
    assert {row["num_images"] for row in record["files"]} == {360}
    held = {row["claim"]: row["holds"] for row in record["claims"]}
    assert held["no file needs a Flex operation"]
    assert held["every file is one XNNPACK partition"]
    assert len(record["claims"]) == 5  # no size is claimed without resnet20
    model = tmp_path / "runs" / "lenet5_digits" / "model.keras"
    before = model.stat().st_mtime_ns
    recipes(*arguments)
    assert model.stat().st_mtime_ns == before


@pytest.mark.slow
def test_trained_networks_pass_by_every_recipe_on_the_test_split(tmp_path: Path) -> None:
    given = {"epochs": 8, "batch_size": 32, "learning_rate": 0.05}
    record = recipes(("lenet5", "plain20", "resnet20"), "digits", given, 0, tmp_path, tmp_path)
    assert [row["claim"] for row in record["claims"] if not row["holds"]] == []
    assert min(row["top1_float"] for row in record["files"]) > 0.9
    assert len(record["claims"]) == 6
