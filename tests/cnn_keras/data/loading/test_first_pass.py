from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data import datasets
from cnn_keras.data.loading.first_pass import first_pass
from cnn_keras.data.preprocessing import fit_preprocessing
from cnn_keras.errors import Error
from tests.fixtures.image_folders import write

SHAPE = (24, 20, 3)


def test_the_normalization_is_that_of_the_images_in_memory(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits", count=30)
    dataset = datasets.load(f"folder:{folder}", shape=SHAPE)
    found = first_pass(dataset.splits, SHAPE, digests=True)
    assert found.preprocessing == fit_preprocessing(dataset.train.read(), SHAPE)
    assert found.preprocessing.shape == SHAPE
    digits = datasets.load("digits")
    expected = fit_preprocessing(digits.train.read(), (32, 32, 1))
    assert first_pass(digits.splits, (32, 32, 1), digests=False) == (expected, {}, {})


def test_equal_images_have_equal_digests(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits", count=20)
    dataset = datasets.load(f"folder:{folder}", shape=SHAPE)
    digests = first_pass(dataset.splits, SHAPE, digests=True).digests
    assert {name: len(of_split) for name, of_split in digests.items()} == {
        "train": 42,
        "validation": 6,
        "test": 12,
    }
    assert len(set().union(*digests.values())) == 60
    same = dataset._replace(validation=dataset.test)
    digests = first_pass(same._replace(test=dataset.train).splits, SHAPE, digests=True).digests
    assert digests["train"] == digests["test"]


def test_one_error_names_the_broken_files_of_all_splits(tmp_path: Path) -> None:
    train, test = write(tmp_path / "train", count=20), write(tmp_path / "test", count=20)
    (train / "one" / "empty.jpg").touch()
    (train / "two" / "gone.png").symlink_to(tmp_path / "nothing")
    (test / "one" / "cut.png").write_bytes((test / "one" / "000.png").read_bytes()[:200])
    Image.fromarray(np.full((9, 9), np.nan, np.float32)).save(test / "two" / "nan.tif")
    name = f"folder:{tmp_path}"
    with pytest.raises(Error) as caught:
        first_pass(datasets.load(name, shape=SHAPE).splits, SHAPE, digests=True)
    assert str(caught.value) == (
        f"4 of 124 images cannot be read: in {tmp_path}, test/one/cut.png, test/two/nan.tif, "
        "train/one/empty.jpg, train/two/gone.png. Repair or delete them."
    )
    for place in range(30):
        (train / "one" / f"empty{place:02}.jpg").touch()
    with pytest.raises(Error, match=r"^34 of 154 .*, train/one/empty16\.jpg and 14 more\. Repair"):
        first_pass(datasets.load(name, shape=SHAPE).splits, SHAPE, digests=True)


@pytest.mark.parametrize(
    ("size", "message"),
    [(200, "one/000.png cannot be read as an image"), (None, "one/000.png is not an image")],
)
def test_a_broken_file_is_named(size: int | None, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "digits") / "one" / "000.png"
    path.write_bytes(path.read_bytes()[:size] if size else b"not an image")
    with pytest.raises(Error) as caught:
        first_pass(
            datasets.load(f"folder:{tmp_path / 'digits'}", shape=SHAPE).splits, SHAPE, digests=True
        )
    assert str(caught.value).startswith(f"{tmp_path}/digits/{message}")
    assert "\n" not in str(caught.value)
