from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from cnn_keras.training.run_folder import Run
from export.verification.exported_file import find_provenance, load, verify_file
from tests.fixtures.android.write_models import FOLDER


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return Path(shutil.copy(FOLDER / "static_wi8_ai8.tflite", tmp_path))


def test_run_and_recipe_come_from_the_options_or_the_file(file: Path, lenet_run: Run) -> None:
    with pytest.raises(UsageError, match=f"The run of {file} is unknown: name it with --run"):
        find_provenance(file)
    found = find_provenance(file, lenet_run.path)
    assert (found.run.path, found.recipe.name) == (lenet_run.path, "static_wi8_ai8")
    assert (found.file, found.content) == (file, file.read_bytes())
    other = find_provenance(file, lenet_run.path, "aware_wi8_ai8", "/logits_").recipe
    assert (other.name, other.float_layers) == ("aware_wi8_ai8", "/logits_")


def test_run_recipe_and_model_come_from_export_json(file: Path, lenet_run: Run) -> None:
    shutil.copytree(lenet_run.path, file.parent / "run")
    row = {"file": file.name, "recipe": "static_wi8_ai8_per_tensor", "tuned_weights": "abc"}
    document = {"run": "run", "model": "run/best.keras", "files": [row]}
    (file.parent / "export.json").write_text(json.dumps(document))
    found = find_provenance(file)
    assert found.run.model_file == file.parent / "run/best.keras"
    assert (found.recipe.name, found.tuned_weights) == (row["recipe"], "abc")


def test_a_loaded_file_is_verified_on_the_split(exported: Path) -> None:
    (file,) = exported.glob("*_float32.tflite")
    loaded = load(find_provenance(file), "test")
    assert loaded.labels is not None
    assert loaded.images.shape == (len(loaded.labels), 32, 32, 1)
    assert loaded.reference.shape == (len(loaded.labels), 10)
    assert loaded.made_from is None
    verdict = verify_file(loaded)
    assert (verdict["accepted"], verdict["reasons"]) == (True, [])
    assert verdict["num_images"] == len(loaded.labels)
