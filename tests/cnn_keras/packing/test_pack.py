from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import cnn_keras
from cnn_keras.errors import UsageError
from cnn_keras.model_files.layer_weights import load_by_name
from cnn_keras.packing.pack import Packed, pack
from cnn_keras.trained import table
from cnn_keras.trained.packed_weights import unpack
from cnn_keras.training.run_folder import Run


@pytest.fixture(scope="module")
def copied_run(lenet_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that started from the weights of another, and whose metrics.json is wrong."""
    path = tmp_path_factory.mktemp("runs") / "lenet5"
    shutil.copytree(lenet_run.path, path)
    metrics = lenet_run.metrics | {"test": {"accuracy": 0.5}, "validation": {"accuracy": 0.5}}
    Run(path).write_json("metrics.json", metrics)
    Run(path).write_json("config.json", lenet_run.config | {"weights": "/home/ada/runs/first"})
    return Run.open(path)


@pytest.fixture(scope="module")
def packed(copied_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Packed:
    return pack(copied_run, tmp_path_factory.mktemp("trained"), remark="Scans of 1998.")


def test_metrics_are_those_of_the_packed_weights(packed: Packed, copied_run: Run) -> None:
    content = (packed.folder / table.WEIGHTS).read_bytes()
    assert packed.trained.sha256 == hashlib.sha256(content).hexdigest()
    assert packed.size_bytes == len(content)
    model = cnn_keras.build("lenet5", (32, 32, 1))
    load_by_name(model, unpack(content))
    test = copied_run.test_split()
    predicted = model.predict(copied_run.preprocessing(test.read()), verbose=0).argmax(axis=1)
    metrics = json.loads((packed.folder / "metrics.json").read_bytes())
    assert metrics["test"]["accuracy"] == (predicted == test.labels).mean() > 0.95
    assert np.trace(metrics["confusion_matrix"]) == (predicted == test.labels).sum()
    assert metrics["train_seconds"] == copied_run.metrics["train_seconds"]
    assert metrics["remarks"] == ["Scans of 1998."]


def test_the_other_files_are_those_of_the_run(packed: Packed, copied_run: Run) -> None:
    assert {path.name for path in packed.folder.iterdir()} == {table.WEIGHTS, *table.DESCRIPTION}
    for name in set(table.DESCRIPTION) - {"config.json", "metrics.json"}:
        assert (packed.folder / name).read_bytes() == (copied_run.path / name).read_bytes()
    config = json.loads((packed.folder / "config.json").read_bytes())
    assert config == copied_run.config | {"weights": "first"}
    assert packed.folder.name == "lenet5_digits"
    assert packed.trained.name == "lenet5:digits"


def test_a_run_on_own_images_is_not_packed(copied_run: Run, tmp_path: Path) -> None:
    path = tmp_path / "run"
    shutil.copytree(copied_run.path, path)
    Run(path).write_json("config.json", copied_run.config | {"data": "folder:/flowers"})
    with pytest.raises(UsageError, match=r"trained on folder:/flowers: .* needs one of .* digits"):
        pack(Run.open(path), tmp_path / "trained")
    Run(path).write_json("config.json", {"network": "vgg16", "data": "photographs", "options": {}})
    with pytest.raises(UsageError, match="is not the training of a network of the zoo"):
        pack(Run.open(path), tmp_path / "trained")
    assert not (tmp_path / "trained").exists()
