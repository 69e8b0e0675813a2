"""Bad input of `train` and `dataset check`: one line, an exit code, and nothing half-written."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_keras.command import start_keras
from tests.fixtures.command_line import run_main
from tests.fixtures.image_folders import write
from tests.fixtures.own_data import keras_arrays, plain_arrays, rows_of, write_csv, write_npz

USER = 65534  # `nobody`: root may read every folder


def folder(path: Path) -> Path:
    """Write `train/` and `val/` with ten images of three digits each."""
    write(path / "train")
    write(path / "val", first=10)
    return path


def no_images(path: Path) -> str:
    for place in ("train/one", "train/two"):
        (path / place).mkdir(parents=True)
    return f"folder:{path}"


def one_class(path: Path) -> str:
    write(path / "images")
    for name in ("one", "two"):
        shutil.rmtree(path / "images" / name)
    return f"folder:{path / 'images'}"


def class_missing_in_val(path: Path) -> str:
    shutil.rmtree(folder(path) / "val" / "two")
    return f"folder:{path}"


def class_empty_in_val(path: Path) -> str:
    shutil.rmtree(folder(path) / "val" / "two")
    (path / "val" / "two").mkdir()
    return f"folder:{path}"


def class_missing_in_train(path: Path) -> str:
    shutil.rmtree(folder(path) / "train" / "two")
    return f"folder:{path}"


def huge_image(path: Path) -> str:
    Image.new("1", (10_000, 10_000)).save(folder(path) / "train" / "one" / "huge.png")
    return f"folder:{path}"


def broken_image(path: Path) -> str:
    (folder(path) / "val" / "one" / "empty.jpg").touch()
    return f"folder:{path}"


def listing(path: Path, change: Callable[[list[dict[str, str]]], object]) -> str:
    rows = rows_of(write(path / "images"))
    change(rows)
    return f"csv:{write_csv(path / 'images' / 'list.csv', rows)}"


def listed_file_missing(path: Path) -> str:
    return listing(path, lambda rows: rows[3].update(path="one/gone.png"))


def column_missing(path: Path) -> str:
    return listing(path, lambda rows: [row.pop("label") for row in rows])


def label_outside_of_listed_classes(path: Path) -> str:
    def change(rows: list[dict[str, str]]) -> None:
        for row in rows:
            row["split"] = "train"
        rows[-1] |= {"label": "ten", "split": "val"}

    return listing(path, change)


def label_outside_of_classes(path: Path) -> str:
    path.mkdir()
    labels = plain_arrays()["labels"].copy()
    labels[5] = 3
    return f"npz:{write_npz(path / 'arrays.npz', plain_arrays(labels=labels))}"


def nan_in_arrays(path: Path) -> str:
    path.mkdir()
    images = keras_arrays()["x_train"] / np.float32(255)
    images[0, 0, 0] = np.nan
    return f"npz:{write_npz(path / 'arrays.npz', keras_arrays(x_train=images))}"


def nothing(path: Path) -> str:
    return f"folder:{path / 'nothing'}"


BAD_DATA = {
    nothing: "No such folder of images",
    no_images: "one has no JPEG",
    one_class: "has only the class 'Zero'",
    class_missing_in_val: "data has no images of two in its split val",
    class_empty_in_val: "two has no JPEG",
    class_missing_in_train: "two is a class that the training images lack",
    huge_image: "huge.png has 10000×10000 pixels",
    broken_image: "empty.jpg is not an image",
    listed_file_missing: "lists images that are missing: one/gone.png",
    column_missing: "has no column 'label'",
    label_outside_of_listed_classes: "the label 'ten'",
    label_outside_of_classes: "arrays.npz has the label 3, which is outside 0 to 2",
    nan_in_arrays: "1 of 1920 values are NaN",
}


def require_one_line(code: int, out: str, err: str, expected: str) -> None:
    assert code in (1, 2), err
    assert out == ""
    (line,) = (line for line in err.splitlines() if line.startswith("cnn-keras: "))
    assert err.splitlines()[-1] == line
    assert "Traceback" not in err
    assert expected in line


@pytest.mark.parametrize("make", BAD_DATA, ids=lambda make: make.__name__)
def test_bad_data_stops_a_training(
    make: Callable[[Path], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = make(tmp_path / "data")
    before = sorted(tmp_path.rglob("*"))
    options = ("--out", tmp_path / "new" / "run", "--epochs", "1", "--batch-size", "4")
    require_one_line(*run_main(capsys, "train", "lenet5", "--data", data, *options), BAD_DATA[make])
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("make", BAD_DATA, ids=lambda make: make.__name__)
def test_bad_data_fails_the_check(
    make: Callable[[Path], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_main(capsys, "dataset", "check", make(tmp_path / "data"))
    if make in (huge_image, broken_image):  # the check names broken files on stdout
        assert (code, err) == (1, "")
        assert BAD_DATA[make] in out
        assert "Broken files: 1" in out
    else:
        require_one_line(code, out, err, BAD_DATA[make])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epoch = 1", "Unknown key 'epoch'. Did you mean 'epochs'?"),
        ("epochs = 1.5", "epochs must be a whole number, not 1.5"),
        ('learning_rate = "fast"', "learning_rate must be a finite number, not 'fast'"),
        ("flip = 1", "flip must be true or false, not 1"),
        ("epochs = ", "is not valid TOML"),
    ],
)
def test_a_bad_recipe_stops_a_training(
    text: str, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(text, encoding="utf-8")
    arguments = ("--data", "digits", "--recipe", recipe, "--out", tmp_path / "run")
    require_one_line(*run_main(capsys, "train", "lenet5", *arguments), expected)
    assert list(tmp_path.iterdir()) == [recipe]


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A folder of a user who is not root, who runs the test."""
    start_keras()  # imports what that user may be unable to read
    path = Path(tempfile.mkdtemp())
    is_root = os.geteuid() == 0
    if is_root:
        os.chown(path, USER, -1)
        os.seteuid(USER)
    try:
        yield path
    finally:
        for place in path.rglob("*"):
            if place.is_dir():
                place.chmod(0o700)
        if is_root:
            os.seteuid(0)
        shutil.rmtree(path)


@pytest.mark.parametrize("place", [".", "train", "train/one", "val/two/inner"])
@pytest.mark.parametrize("command", ["train", "check"])
def test_an_unreadable_folder_is_an_error(
    place: str, command: str, unprivileged: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = folder(unprivileged / "data")
    (data / "val" / "two" / "inner").mkdir()
    shutil.copy(data / "val" / "two" / "000.png", data / "val" / "two" / "inner")
    (data / place).chmod(0)
    out = unprivileged / "run"
    arguments = {
        "train": ("train", "lenet5", "--data", f"folder:{data}", "--out", out),
        "check": ("dataset", "check", f"folder:{data}"),
    }
    require_one_line(*run_main(capsys, *arguments[command]), f"{data / place}: Permission denied")
    assert not out.exists()
