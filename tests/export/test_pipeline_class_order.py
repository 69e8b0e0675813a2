"""Images of a folder are sorted by class; code that takes a few of them takes every class."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from PIL import Image

from cnn_keras.data import datasets
from cnn_keras.errors import UsageError
from cnn_keras.model_files.keras_file import save_model
from cnn_keras.training.recipes import Recipe
from cnn_keras.training.run_folder import Run
from export import pipeline
from export.benchmark import inputs
from export.cli import main
from export.conversion import compression
from export.recipes import recipe
from export.source_model import SourceModel
from export.tflite import metadata
from export.verification.layer_errors import NUM_IMAGES

SIZE = 8


def square(side: int) -> Image.Image:
    image = Image.new("L", (SIZE, SIZE))
    image.paste(255, (0, 0, side, side))
    return image


def write(folder: Path, sides: dict[str, int], count: int) -> None:
    for name, side in sides.items():
        (folder / name).mkdir(parents=True)
        for index in range(count):
            square(side).save(folder / name / f"{index:02}.png")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on two classes of squares; in the validation split the first class has black images."""
    folder = tmp_path_factory.mktemp("sorted")
    write(folder / "images" / "train", {"a": 4, "b": 8}, count=10)
    write(folder / "images" / "val", {"a": 0, "b": 8}, count=NUM_IMAGES + 4)
    run = Run(folder / "run")
    keras.utils.set_random_seed(0)
    image = keras.Input((SIZE, SIZE, 1))
    x = layers.Flatten()(layers.Conv2D(4, 3, activation="relu")(image))
    model = keras.Model(image, layers.Dense(2, activation="softmax")(x), name="tiny")
    run.path.mkdir()
    save_model(model, run.path / "model.keras")
    normalization = {"height": SIZE, "width": SIZE, "channels": 1, "mean": [0.0], "std": [255.0]}
    run.write_json("preprocessing.json", normalization)
    (run.path / "labels.txt").write_text("a\nb\n")
    name = f"folder:{folder / 'images'}"
    config = {
        "network": "tiny",
        "data": name,
        "contents": datasets.load(name, shape=(SIZE, SIZE, 1)).fingerprint,
        "train_images": None,
        "adopted": {"origin": "of a test", "modules": []},
    }
    run.write_json("config.json", config)
    return run


def test_drawing_style_and_layer_errors_use_all_classes(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "DRAWING_IMAGES", 10)
    source = SourceModel("tiny", run.model(), run, run.dataset())
    (row,) = pipeline.export(source, tmp_path, [recipe("static_wi8_ai8")])["files"]
    about = metadata.read((tmp_path / row["file"]).read_bytes())
    assert about is not None
    assert about.drawing is not None
    assert about.drawing["extent"] == 0.75  # half of the squares fill half of the frame
    capsys.readouterr()
    assert main(["verify", str(tmp_path / row["file"]), "--layers", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["layers"]
    assert max(layer["mse"] for layer in found) > 0  # black images are exact in integers


def test_further_training_checks_equality_on_all_classes(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[NDArray[np.float32]] = []

    def record(model: keras.Model, copy: object, images: NDArray[np.float32]) -> None:
        seen.append(images)
        raise UsageError("stop here")

    monkeypatch.setattr(compression, "require_equal", record)
    setup = compression.TrainingSetup(
        run.dataset().train, run.preprocessing, Recipe(0.1, 0.9, 0, 4, 1, (), 0.1), False, 0, 1
    )
    with pytest.raises(UsageError, match="stop here"):
        compression.train_further(run.model(), "aware", setup)
    assert len(np.unique(seen[0], axis=0)) == 2


@pytest.mark.parametrize("count", [8, 40])
def test_first_inputs_of_a_benchmark_include_all_classes(
    count: int, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "NUM_IMAGES", count)
    inputs.validation_images.cache_clear()
    images = inputs.validation_images(run.path)
    assert len(images) == count
    assert len(np.unique(images[:8], axis=0)) == 2
