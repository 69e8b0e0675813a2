from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data.loading.options import Loading
from cnn_keras.errors import Error, UsageError
from cnn_keras.training.config import Training
from cnn_keras.training.evaluate import scores
from cnn_keras.training.preparation.training_data import input_shape
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train
from tests.fixtures.command_line import run_main
from tests.fixtures.image_folders import write

SKIPPED = ["train/one/empty.jpg", "val/two/cut.png"]
RECIPE = {"epochs": 2, "batch_size": 15}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten images of each class in train/ and val/, and two broken files."""
    folder = tmp_path_factory.mktemp("broken") / "data"
    for place, name in enumerate(("train", "val")):
        write(folder / name, first=10 * place)
    (folder / SKIPPED[0]).touch()
    (folder / SKIPPED[1]).write_bytes((folder / "val/two/000.png").read_bytes()[:200])
    return folder


@pytest.fixture(scope="module")
def training(folder: Path) -> Training:
    return Training.of("lenet5", f"folder:{folder}", recipe=RECIPE)


@pytest.fixture(scope="module")
def run(training: Training, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that skips the broken files, with a worker process."""
    out = tmp_path_factory.mktemp("runs") / "skipped"
    return train(training, out, loading=Loading(workers=1, skip_broken=True))


def test_broken_files_are_an_error_by_default(training: Training, tmp_path: Path) -> None:
    with pytest.raises(Error, match=r"^2 of 62 images cannot be read: in .*data, train/one/empty"):
        train(training, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_knows_the_files_that_it_skipped(run: Run, folder: Path) -> None:
    assert run.config["skipped_files"] == SKIPPED
    assert run.metrics["num_train_images"] == 30
    assert run.metrics["test"]["num_images"] == 30
    test = run.dataset().test
    assert scores(run.predict(test), test.labels) == run.metrics["test"]
    moved = Run(run.path).dataset(folder.parent)  # found in the folder of --data-dir
    np.testing.assert_array_equal(moved.test.labels, test.labels)


def test_a_run_that_skipped_files_resumes(run: Run, training: Training, tmp_path: Path) -> None:
    out = tmp_path / "run"
    train(training, out, loading=Loading(skip_broken=True))
    (out / "metrics.json").unlink()  # as if the training had been interrupted
    again = train(training, out)
    for found in zip(run.model().get_weights(), again.model().get_weights(), strict=True):
        np.testing.assert_array_equal(*found)


def test_a_run_knows_its_validation_images(tmp_path: Path) -> None:
    training = Training.of("lenet5", "digits", recipe={"epochs": 1}, validation_images=20)
    run = train(training, tmp_path / "run")
    assert run.metrics["num_train_images"] == 1_417
    assert run.metrics["validation"]["num_images"] == 20
    dataset = run.dataset()
    assert (len(dataset.train.labels), len(dataset.validation.labels)) == (1_417, 20)
    validation = dataset.validation
    assert scores(run.predict(validation), validation.labels) == run.metrics["validation"]
    (run.path / "metrics.json").unlink()  # as if the training had been interrupted
    with pytest.raises(UsageError, match="has a training with validation_images 20, not None"):
        train(replace(training, validation_images=None), run.path)
    again = train(training, run.path)
    assert again.metrics["validation"] == scores(again.predict(validation), validation.labels)


def test_a_class_without_readable_images_is_an_error(tmp_path: Path) -> None:
    write(tmp_path / "data" / "train")
    for path in (write(tmp_path / "data" / "val") / "one").iterdir():
        path.write_bytes(b"")
    training = Training.of("lenet5", f"folder:{tmp_path / 'data'}", recipe=RECIPE)
    with pytest.raises(Error, match="has no images of one in its split val"):
        train(training, tmp_path / "run", loading=Loading(skip_broken=True))


def test_the_command_takes_the_options(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "lenet5", "--data", f"folder:{folder}", "--out", tmp_path / "run"]
    command += ["--epochs", "1", "--batch-size", "30", "--json"]
    code, _, err = run_main(capsys, *command, "--workers", "-1")
    assert (code, err) == (2, "cnn-keras: --workers must be 0 or more, not -1.\n")
    code, _, err = run_main(capsys, *command, "--skip-broken")
    assert code == 0
    config = tmp_path / "run" / "config.json"
    assert f"2 broken files are skipped; {config} lists them." in err
    assert json.loads(config.read_text("utf-8"))["skipped_files"] == SKIPPED


@pytest.mark.parametrize(
    ("network", "options", "image_size", "side"),
    [
        ("lenet5", {}, None, 32),
        ("vgg11", {}, None, 32),
        ("alexnet", {}, None, 67),
        ("alexnet", {}, 80, 80),
        ("alexnet", {"stem": "small"}, None, 28),
        ("alexnet", {"stem": "small"}, 32, 32),
        ("resnet18", {"stem": "small"}, None, 28),
        ("resnet20", {}, None, 28),
    ],
)
def test_images_are_enlarged_for_the_networks_that_need_it(
    network: str, options: dict[str, str], image_size: int | None, side: int
) -> None:
    training = Training.of(
        network, "fashion_mnist", recipe={}, options=options, image_size=image_size
    )
    assert input_shape(training) == (side, side, 1)
