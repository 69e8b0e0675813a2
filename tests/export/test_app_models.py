from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import cnn_keras
from cnn_keras.data import datasets
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.trained.table import TRAINED
from cnn_keras.training.run_folder import Run
from export import app_models
from export.tflite.interpreter import Interpreter
from tests.fixtures.command_line import run_main

# The models of the app that are trained networks of the package.
MODELS = sorted(
    file
    for trained in TRAINED.values()
    for file in app_models.models_folder(app_models.APP).glob(f"{trained.folder.name}_*.tflite")
)


def test_files_are_added_to_the_app(
    lenet_run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("export.app_models.APP", tmp_path)
    command = ("export", lenet_run.path, "--out", tmp_path / "out", "--android")
    code, _, err = run_main(capsys, *command)
    assert code == 2
    assert "No Android app in" in err
    assert not (tmp_path / "out").exists()
    (tmp_path / "app/src/main").mkdir(parents=True)
    assert run_main(capsys, *command)[0] == 0
    copies = sorted((tmp_path / "app/src/main/assets/models").iterdir())
    name = lenet_run.path.name
    assert [path.name for path in copies] == [
        f"{name}_float32.tflite",
        f"{name}_static_wi8_ai8.tflite",
    ]
    for path in copies:
        assert path.read_bytes() == (tmp_path / "out" / path.name).read_bytes()


@pytest.mark.parametrize("file", MODELS, ids=lambda file: file.stem)
def test_models_of_the_app_are_those_of_the_package(file: Path) -> None:
    """After a change of the weights: `cnn-keras export NETWORK:DATA --android`."""
    (trained,) = (row for row in TRAINED.values() if file.stem.startswith(row.folder.name))
    preprocessing = Preprocessing.read(trained.folder / "preprocessing.json")
    images = preprocessing(preprocessing.resize(datasets.load("digits").test.images[:50]))
    expected = cnn_keras.build(trained.network, weights=trained.data).predict_on_batch(images)
    found = Interpreter(file)(images)
    if file.stem.endswith("_float32"):
        np.testing.assert_allclose(found, expected, atol=1e-4)
    assert (found.argmax(1) == expected.argmax(1)).mean() >= 0.9
