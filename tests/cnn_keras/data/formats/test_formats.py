"""Training on CSV and `.npz` files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.errors import Error, UsageError
from cnn_keras.training.config import Training
from cnn_keras.training.evaluate import scores
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train
from tests.fixtures.image_folders import NAMES, write
from tests.fixtures.own_data import plain_arrays, rows_of, write_csv, write_npz


def write_data(kind: str, folder: Path, *, changed: bool = False) -> str:
    """Write a data set of 45 images and return its name; one image of it may change its label."""
    if kind == "npz":
        arrays = plain_arrays(15)
        arrays["labels"][0] = int(changed)
        return f"npz:{write_npz(folder / 'data.npz', arrays)}"
    images = folder / "digits"
    if not images.exists():
        write(images, count=15)
    rows = rows_of(images)
    rows[0]["label"] = NAMES[int(changed)]
    return f"csv:{write_csv(images / 'data.csv', rows)}"


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_a_run_keeps_its_data(kind: str, tmp_path: Path) -> None:
    name = write_data(kind, tmp_path)
    recipe = {"epochs": 1, "batch_size": 16, "learning_rate": 0.02}
    run = train(Training.of("lenet5", name, recipe=recipe), tmp_path / "run")
    assert run.classes == NAMES
    assert run.preprocessing.shape == (32, 32, 1)  # the paper's, and the smallest for 8×8 images
    assert (run.config["data"], run.metrics["num_train_images"]) == (name, 32)
    test = Run.open(run.path).dataset().test
    images = test.read()
    assert images.shape == (9, 32, 32, 1)
    assert scores(run.predict(images), test.labels) == run.metrics["test"]
    write_data(kind, tmp_path, changed=True)
    (run.path / "metrics.json").unlink()  # as if the training had been interrupted
    with pytest.raises(Error, match=r"have changed since .* \(45 pictures, .*; before: 45 pictu"):
        train(Training.of("lenet5", name, recipe=recipe), run.path)
    write_data(kind, tmp_path)
    again = train(Training.of("lenet5", name, recipe=recipe), run.path)
    np.testing.assert_array_equal(again.dataset().test.read(), images)


def test_the_shape_of_arrays_is_that_of_the_input(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (45, 36, 40, 3), np.uint8)
    name = f"npz:{write_npz(tmp_path / 'color.npz', plain_arrays(15, images=images))}"
    recipe = {"epochs": 1, "batch_size": 16}
    run = train(Training.of("lenet5", name, recipe=recipe), tmp_path / "run")
    assert run.preprocessing.shape == (40, 40, 3)


def test_broken_data_leaves_no_run_folder(tmp_path: Path) -> None:
    file = write_npz(tmp_path / "a.npz", plain_arrays(images=np.full((30, 8, 8), np.nan)))
    with pytest.raises(Error, match="1920 of 1920 values are NaN"):
        train(Training.of("lenet5", f"npz:{file}", recipe={}), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("kind", ["csv", "npz"])
def test_names_are_made_absolute(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name = datasets.absolute_name(f"{kind}:a/data.{kind}")
    assert name == f"{kind}:{tmp_path}/a/data.{kind}"
    with pytest.raises(UsageError, match=f"Did you mean '{kind}:FILE'"):
        datasets.absolute_name(f"{kind}:")
