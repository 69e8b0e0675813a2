from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.check.samples import list_samples
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error, UsageError
from tests.fixtures.image_folders import NAMES, write

SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("layout", [("",), ("train", "val"), ("train", "test")])
def test_the_splits_are_those_of_a_training(layout: tuple[str, ...], tmp_path: Path) -> None:
    folder = tmp_path / "data"
    for place, name in enumerate(layout):
        write(folder / name, count=20, first=20 * place)
    dataset = datasets.load(f"folder:{folder}", shape=(8, 8, 1))
    found = list_samples(f"folder:{folder}")
    assert found.classes == NAMES
    preprocessing = Preprocessing(8, 8, 1, (0.0,), (1.0,))
    for name in SPLITS:
        if name == "test" and dataset.test is dataset.validation:
            assert Counter(sample.split for sample in found.images) == {
                "train": 60,
                "validation": 60,
            }
            continue
        images = [sample for sample in found.images if sample.split == name]
        pixels = np.stack([preprocessing.pixels(sample.open()) for sample in images])
        np.testing.assert_array_equal(pixels, dataset.split(name).read())
        assert [sample.label for sample in images] == dataset.split(name).labels.tolist()


def test_no_file_is_read_before_it_is_opened(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits")
    for path in folder.rglob("*.*"):
        path.write_bytes(b"")
    images = list_samples(f"folder:{folder}").images
    assert len(images) == 30
    assert {image.name for image in images} >= {"one/000.png", "Zero/001.JPG"}
    with pytest.raises(Error):
        images[0].open()


def test_named_data_sets() -> None:
    digits = datasets.load("digits")
    found = list_samples("digits")
    assert Counter(s.split for s in found.images) == {"train": 1257, "validation": 180, "test": 360}
    last = found.images[-1]
    assert (last.name, last.label) == ("359", int(digits.test.labels[-1]))
    np.testing.assert_array_equal(np.asarray(last.open()), digits.test.images[-1, ..., 0])
    with pytest.raises(UsageError, match="Did you mean 'digits'"):
        list_samples("digit")


def test_listed_files_and_arrays(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits")
    paths = sorted(path for path in folder.rglob("*.*"))
    lines = [f"digits/{path.relative_to(folder)},{path.parent.name}" for path in paths]
    (tmp_path / "list.csv").write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    expected = list_samples(f"folder:{folder}")
    listed = list_samples(f"csv:{tmp_path / 'list.csv'}")
    assert listed.classes == expected.classes
    assert [image[:3] for image in listed.images] == [image[:3] for image in expected.images]

    digits = datasets.load("digits").test
    arrays = {
        f"{kind}_{split}": values
        for split in ("train", "val")
        for kind, values in (("x", digits.images), ("y", digits.labels))
    }
    np.savez(tmp_path / "digits.npz", **arrays)
    counts = Counter(image.split for image in list_samples(f"npz:{tmp_path / 'digits.npz'}").images)
    assert counts == {"train": 360, "validation": 360}
