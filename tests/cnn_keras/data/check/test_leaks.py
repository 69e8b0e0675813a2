from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.check.leaks import describe_leak
from cnn_keras.data.loading.first_pass import first_pass
from cnn_keras.training.config import Training
from cnn_keras.training.train import train
from tests.fixtures.image_folders import write

SHAPE = (32, 32, 1)


def leak(name: str) -> str | None:
    dataset = datasets.load(name, shape=SHAPE)
    return describe_leak(dataset, first_pass(dataset.splits, SHAPE, digests=True).digests)


def test_a_folder_that_leaks_is_described(tmp_path: Path) -> None:
    for place, name in enumerate(("train", "val", "test")):
        write(tmp_path / "data" / name, count=8, first=8 * place)
    name = f"folder:{tmp_path / 'data'}"
    assert leak(name) is None
    for split, number in (("val", 1), ("test", 2), ("test", 5)):
        copy = tmp_path / "data" / split / "one" / f"copy{number}.webp"
        shutil.copy(next((tmp_path / "data/train/one").glob(f"00{number}.*")), copy)
    line = leak(name)
    assert line is not None
    assert line.startswith("data: 1 of 25 validation images and 2 of 26 test images are also")
    shutil.rmtree(tmp_path / "data" / "test")
    line = leak(name)
    assert line is not None
    assert line.startswith("data: 1 of 25 validation images are also training images")


def test_arrays_that_leak_are_described() -> None:
    digits = datasets.load("digits")
    digits = digits._replace(test=digits.train.take(np.arange(7)))
    line = describe_leak(digits, first_pass(digits.splits, SHAPE, digests=True).digests)
    assert line is not None
    assert line.startswith("digits: 7 of 7 test images are also training images")
    assert not first_pass(digits.splits, SHAPE, digests=False).digests


def test_train_warns_of_a_leak_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, name in enumerate(("train", "val")):
        write(tmp_path / "data" / name, count=6, first=6 * place)
    shutil.copy(tmp_path / "data/train/one/000.png", tmp_path / "data/val/one/leak.png")
    recipe = {"epochs": 1, "batch_size": 9, "flip": False}
    training = Training.of("lenet5", f"folder:{tmp_path / 'data'}", recipe=recipe)
    train(training, tmp_path / "run")
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if "also training images" in line] == [
        "data: 1 of 19 validation images are also training images, so that the accuracy on them is "
        "too high; `cnn-keras dataset check` lists them."
    ]
