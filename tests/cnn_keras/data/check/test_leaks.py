from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.check.leaks import count_shared, describe_leak
from cnn_keras.training.config import Training
from cnn_keras.training.train import train
from tests.fixtures.image_folders import write


def test_shared_images_are_counted_by_all_their_pixels() -> None:
    images = datasets.load("digits").test.images
    assert count_shared(images[:100], images[100:]) == 0
    assert count_shared(images[:100], images[90:]) == 10
    assert count_shared(images[[3, 3, 4]], images[:4]) == 2
    changed = images[:5].copy()
    changed[2, 31, 31] ^= 1  # no sampled pixel
    assert count_shared(changed, images) == 4


def test_tiny_images() -> None:
    pixels = np.arange(6, dtype=np.uint8).reshape(3, 1, 2, 1)
    assert count_shared(pixels[[0, 2, 2]], pixels[1:]) == 2


def test_a_folder_that_leaks_is_described(tmp_path: Path) -> None:
    for place, name in enumerate(("train", "val", "test")):
        write(tmp_path / "data" / name, count=8, first=8 * place)
    name = f"folder:{tmp_path / 'data'}"
    assert describe_leak(datasets.load(name, shape=(32, 32, 1))) is None
    for split, number in (("val", 1), ("test", 2), ("test", 5)):
        copy = tmp_path / "data" / split / "one" / f"copy{number}.webp"
        shutil.copy(next((tmp_path / "data/train/one").glob(f"00{number}.*")), copy)
    line = describe_leak(datasets.load(name, shape=(32, 32, 1)))
    assert line is not None
    assert line.startswith("data: 1 of 25 validation images and 2 of 26 test images are also")
    shutil.rmtree(tmp_path / "data" / "test")
    line = describe_leak(datasets.load(name, shape=(32, 32, 1)))
    assert line is not None
    assert line.startswith("data: 1 of 25 validation images are also training images")


def test_named_data_sets_are_not_searched() -> None:
    digits = datasets.load("digits")
    assert describe_leak(digits._replace(test=digits.train)) is None


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
