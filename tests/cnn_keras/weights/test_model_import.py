from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.evaluate import scores
from cnn_keras.training.run_folder import Run
from cnn_keras.weights.external_model import is_external
from cnn_keras.weights.model_import import import_model
from cnn_keras.weights.source_options import SourceOptions
from tests.fixtures import image_folders
from tests.fixtures.external_models import SIDE, digits, pixels, rgb, saved

PHOTOGRAPHS = SourceOptions(data="photographs", pixel_range=(0, 1))


def softmax(logits: Any) -> Any:
    return np.asarray(ops.softmax(logits))


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved(digits(), tmp_path_factory.mktemp("elsewhere") / "mine.keras")


def test_a_file_becomes_a_run(mine: Path, tmp_path: Path) -> None:
    assert is_external(mine)
    run, dataset = import_model(mine, SourceOptions(data="digits"), tmp_path)
    assert run == Run.open(tmp_path / "mine")
    assert not is_external(run.path / "model.keras")
    assert not is_external(run.path)
    assert (run.config["network"], run.config["data"]) == ("mine", "digits")
    assert run.preprocessing.to_dict() == {
        "height": SIDE,
        "width": SIDE,
        "channels": 1,
        "mean": (0.0,),
        "std": (1.0,),
    }
    assert run.classes == dataset.classes == tuple("0123456789")
    test = run.prepare_dataset(dataset).test
    answers = run.predict(test.images)
    np.testing.assert_allclose(
        answers, softmax(digits().predict(test.images.astype(np.float32), verbose=0)), atol=1e-6
    )
    assert scores(answers, test.labels)["accuracy"] > 0.9


def test_an_earlier_import_is_reused_and_nothing_else_is_overwritten(
    mine: Path, tmp_path: Path
) -> None:
    run, _ = import_model(mine, SourceOptions(data="digits"), tmp_path)
    before = {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    again, _ = import_model(mine, SourceOptions(data="digits"), tmp_path)
    assert again == run
    assert before == {path: path.stat().st_mtime_ns for path in run.path.iterdir()}
    with pytest.raises(UsageError, match="made with another pixel range, data: delete it"):
        import_model(mine, SourceOptions(data="photographs", pixel_range=(0, 1)), tmp_path)
    other = saved(rgb(), tmp_path / "other" / "mine.keras")
    with pytest.raises(UsageError, match="made with another model"):
        import_model(other, SourceOptions(data="digits"), tmp_path)
    shutil.copy(mine, tmp_path / "mine.h5")
    with pytest.raises(UsageError, match="made with another model: delete"):
        import_model(tmp_path / "mine.h5", SourceOptions(data="digits"), tmp_path)
    (tmp_path / "b" / "mine").mkdir(parents=True)
    (tmp_path / "b" / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not a run of an external model"):
        import_model(mine, SourceOptions(data="digits"), tmp_path / "b")
    assert [path.name for path in (tmp_path / "b" / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("units", "activation"), [(3, None), (3, "sigmoid"), (1, None), (1, "sigmoid")]
)
def test_every_output_layer_gives_probabilities(
    units: int, activation: str | None, tmp_path: Path
) -> None:
    model = rgb(units, activation)
    if activation is None:  # as a trained network's
        kernel, bias = model.layers[-1].get_weights()
        model.layers[-1].set_weights([20 * kernel, bias])
    run, _ = import_model(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")
    found = run.predict(pixels())
    given = np.asarray(model(pixels().astype(np.float32) / 255))
    if units == 1:
        second = given if activation else 1 / (1 + np.exp(-given))
        given = np.concatenate([1 - second, second], axis=1)
    elif activation is None:
        given = softmax(given)
    np.testing.assert_allclose(found, given, atol=1e-6)
    assert np.allclose(found.sum(axis=1), 1) == (activation != "sigmoid" or units == 1)
    assert run.classes == tuple(map(str, range(max(2, units))))


def test_older_files_become_a_run(tmp_path: Path) -> None:
    file = saved(model := rgb(), tmp_path / "old.h5").rename(tmp_path / "old.HDF5")
    run, _ = import_model(file, PHOTOGRAPHS, tmp_path / "runs")
    assert run.path.name == "old"
    expected = model(pixels().astype(np.float32) / 255)
    np.testing.assert_allclose(run.predict(pixels()), expected, atol=1e-6)


def test_labels_are_given_or_those_of_the_data_set(
    mine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join("9876543210"))
    run, _ = import_model(mine, SourceOptions(data="digits", labels=labels), tmp_path / "a")
    assert run.classes == tuple("9876543210")
    assert (
        "of 100 images correctly, no better than a constant prediction" in capsys.readouterr().err
    )
    labels.write_text("cat\ndog\n")
    with pytest.raises(UsageError, match="has 2 labels, and the network has 10 classes"):
        import_model(mine, SourceOptions(data="digits", labels=labels), tmp_path / "b")
    file = saved(rgb(), tmp_path / "a.keras")
    pictures = image_folders.write(tmp_path / "pictures")
    options = SourceOptions(data=f"folder:{pictures}", pixel_range=(0, 1))
    run, dataset = import_model(file, options, tmp_path / "a")
    assert run.classes == dataset.classes == image_folders.NAMES
    assert run.config["contents"] == dataset.fingerprint
    with pytest.raises(Error, match="The class 'Zero' of pictures is not one of the network's 4"):
        import_model(saved(rgb(4), tmp_path / "b.keras"), options, tmp_path / "a")


def test_other_models_than_classifiers_are_refused(tmp_path: Path) -> None:
    def refuse(model: keras.Model, message: str) -> None:
        with pytest.raises(Error, match=message):
            import_model(saved(model, tmp_path / "a.keras"), PHOTOGRAPHS, tmp_path / "runs")
        assert not (tmp_path / "runs").exists()

    image = layers.Input((8, 8, 3))
    flat = layers.Flatten()(image)
    two = keras.Model(image, [layers.Dense(3)(flat), layers.Dense(2)(flat)])
    refuse(two, r"gives \(None, 3\), \(None, 2\); expected one row")
    refuse(keras.Model(image, layers.Conv2D(3, 3)(image)), "expected one row")
    refuse(rgb(shape=(8, 8, 4)), r"takes \(None, 8, 8, 4\); expected one image")
    refuse(keras.Sequential([layers.Input((5,)), layers.Dense(3)]), "expected one image")
    dead = rgb()
    dead.set_weights([np.zeros_like(weight) for weight in dead.get_weights()])
    refuse(dead, "gives the same scores for 100 images")
    dead.set_weights([np.full_like(weight, np.nan) for weight in dead.get_weights()])
    refuse(dead, "gives NaN")
    age = rgb(1, None)
    kernel, _ = age.layers[-1].get_weights()
    age.layers[-1].set_weights([kernel, np.float32([46.5])])
    refuse(age, "for 100 images, which looks like regression")
    function = keras.Sequential(
        [layers.Input((8, 8, 3)), layers.Lambda(lambda x: x / 255), *rgb().layers]
    )
    refuse(function, "has a Lambda layer, which is code")


def test_a_score_that_decides_no_class_is_reported(tmp_path: Path) -> None:
    def remarks(scale: float, bias: float) -> list[str]:
        model = rgb(1, None)
        kernel, _ = model.layers[-1].get_weights()
        values = model(pixels().astype(np.float32) / 255)
        bias -= scale * float(np.median(values))
        model.layers[-1].set_weights([scale * kernel, np.float32([bias])])
        out = tmp_path / f"{scale}"
        run, _ = import_model(saved(model, out / "a.keras"), PHOTOGRAPHS, out)
        return list(run.config["remarks"])

    assert remarks(20, 0) == []
    (remark,) = remarks(1, 5)  # all of them above 0
    assert "is taken as the logit of '1'" in remark
