from __future__ import annotations

import json
import shutil
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.data.datasets import Dataset
from cnn_keras.training.recipes import EXTERNAL, RECIPES
from cnn_keras.training.run_folder import Run
from export.conversion import further_training
from export.conversion.compression import TrainingSetup
from export.source_model import SourceModel
from tests.fixtures.command_line import run_main
from tests.fixtures.trained_network import Trained

AWARE = ("_aware.json", "_aware.keras")


@pytest.mark.parametrize(
    ("config", "augmented", "flipped"),
    [
        ({}, True, True),  # trained here
        ({"recipe": asdict(replace(RECIPES["nin"], flip=False))}, True, False),
        ({"adopted": {}, "recipe": asdict(EXTERNAL)}, False, False),
        ({"adopted": {}, "recipe": asdict(RECIPES["nin"])}, False, False),  # by an older version
        ({"imported": {}, "recipe": None}, False, False),
    ],
)
def test_images_are_augmented_as_in_the_networks_own_training(
    config: dict[str, Any], augmented: bool, flipped: bool, setup: TrainingSetup, tmp_path: Path
) -> None:
    config = {"network": "nin", "recipe": asdict(RECIPES["nin"])} | config
    source = source_of(setup, tmp_path, {k: v for k, v in config.items() if v is not None})
    for flip, expected in ((None, flipped), (True, True), (False, False)):
        found = further_training.training_setup(source, None, flip)
        assert (found.flip, found.recipe.shift > 0) == (expected, augmented)
    digits = source._replace(dataset=source.dataset._replace(allows_flip=False))
    assert not further_training.training_setup(
        digits, None, True
    ).flip  # digits have no mirror image


def test_gradient_descent_does_not_take_the_rate_of_another_optimizer(
    setup: TrainingSetup, tmp_path: Path
) -> None:
    own = replace(RECIPES["nin"], optimizer="adamw", learning_rate=1e-3, weight_decay=0.05)
    source = source_of(setup, tmp_path, {"network": "nin", "recipe": own.to_dict()})
    found = further_training.training_setup(source, None, None).recipe
    assert (found.learning_rate, found.weight_decay) == (0.01, 1e-4)


@pytest.mark.parametrize("helps", [True, False])
def test_aware_training_without_improvement_is_not_used(
    trained: Trained, setup: TrainingSetup, helps: bool, tmp_path: Path
) -> None:
    """Training improves a network with perturbed weights; a ruinous learning rate does not."""
    model = keras.models.clone_model(trained.model)
    random = np.random.default_rng(0)
    weights = trained.model.get_weights()
    perturbed = [weight * random.normal(1, 0.5 * helps, weight.shape) for weight in weights]
    model.set_weights(perturbed)
    source = source_of(setup, tmp_path, {"network": "small"})._replace(model=model)
    recipe = replace(setup.recipe, learning_rate=1.0 if helps else 1e4)
    setup = setup._replace(recipe=recipe, epochs=1)
    found, remarks = further_training.train(source, ("aware",), setup)
    record = json.loads((tmp_path / "tuned/aware.json").read_text())
    assert (record["after"] > record["before"]) is helps
    assert len(remarks) == (not helps)
    for line in remarks:
        assert "does not improve on static_wi8_ai8, so the weights before it are used" in line
        assert f"validation accuracy {record['before']:.2%} before, {record['after']:.2%}" in line
    changed = [
        not np.array_equal(old, new)
        for old, new in zip(perturbed, found.get_weights(), strict=True)
    ]
    assert any(changed) is helps
    again, repeated_remarks = further_training.train(source, ("aware",), setup)
    assert repeated_remarks == remarks
    for one, other in zip(found.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def source_of(setup: TrainingSetup, folder: Path, config: dict[str, Any]) -> SourceModel:
    """Return a run that was trained on the digits, without a model."""
    run = Run(folder)
    run.write_json("config.json", config)
    run.write_json("preprocessing.json", setup.preprocessing.to_dict())
    assert setup.validation
    splits = setup.train, setup.validation, setup.validation
    dataset = Dataset("digits", *splits, tuple("0123456789"), allows_flip=True)
    return SourceModel("small", None, run, dataset)


def test_a_network_is_trained_further_once(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(lenet_run.path, tmp_path / "run")
    command = ("export", tmp_path / "run", "--out", tmp_path / "files", "--tuning-epochs", "1")
    recipes = ("--json", "--recipes", "clustered_aware_wi8_ai8")
    code, out, _ = run_main(capsys, *command, *recipes, "clustered")
    integer, float32 = json.loads(out)["files"]
    assert code == 0
    assert float32["gzip_bytes"] < 0.3 * float32["size_bytes"]  # 16 values in each layer
    assert integer["gzip_bytes"] < 0.8 * integer["size_bytes"]
    assert integer["audit"]["recipe"] == "static_wi8_ai8"
    assert (float32["agreement"], float32["max_abs_error"] < 1e-5) == (
        1,
        True,
    )
    code, out, _ = run_main(capsys, "verify", tmp_path / "files" / integer["file"], "--json")
    verified = json.loads(out)
    assert code == 0
    for key in ("agreement", "drop_points", "snr_db"):
        assert verified[key] == pytest.approx(integer[key])
    kept = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/tuned").iterdir()}
    assert set(kept) == {f"clustered{end}" for end in (".json", ".keras", *AWARE)}
    _, again, _ = run_main(capsys, *command, *recipes)
    assert json.loads(again)["files"][0]["sha256"] == integer["sha256"]
    assert kept == {
        path.name: path.stat().st_mtime_ns for path in (tmp_path / "run/tuned").iterdir()
    }
    later = tmp_path / "run/tuned/clustered_aware.keras"
    shutil.copy(tmp_path / "run/model.keras", later)
    code, _, err = run_main(capsys, "verify", tmp_path / "files" / integer["file"])
    assert (code, "clustered_aware.keras was trained again since" in err) == (1, True)
    later.unlink()
    code, _, err = run_main(capsys, "verify", tmp_path / "files" / integer["file"])
    assert (code, "clustered_aware.keras is missing, from which" in err) == (2, True)
