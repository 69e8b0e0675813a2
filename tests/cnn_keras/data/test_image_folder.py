from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data import datasets, image_folder
from cnn_keras.data.loading.image_files import read_images
from cnn_keras.errors import Error, UsageError
from tests.fixtures.image_folders import HEIC, NAMES, write

SPLITS = ("train", "validation", "test")


def named(folder: Path) -> str:
    return f"folder:{folder}"


def test_a_folder_is_split_by_seed(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits", count=20)
    first, second = (datasets.load(named(folder), shape=(24, 20, 3)) for _ in range(2))
    assert first.name == "digits"
    assert first.classes == NAMES
    counts = {name: np.bincount(first.split(name).labels).tolist() for name in SPLITS}
    assert counts == {"train": [14, 14, 14], "validation": [2, 2, 2], "test": [4, 4, 4]}
    for name in SPLITS:
        np.testing.assert_array_equal(first.split(name).read(), second.split(name).read())
    everything = np.concatenate([first.split(name).read() for name in SPLITS])
    assert everything.shape == (60, 24, 20, 3)
    assert len(np.unique(everything.reshape(60, -1), axis=0)) == 60


def test_train_and_val_are_the_splits_of_their_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "train", count=6)
    write(tmp_path / "val", count=3, first=6)
    both = datasets.load(named(tmp_path), shape=(8, 8, 1))
    assert [len(both.split(name).labels) for name in SPLITS] == [18, 9, 9]
    assert both.test is both.validation
    assert "9 test images (val/, because there is no test/)" in capsys.readouterr().err
    write(tmp_path / "test", count=4, first=9)
    all_three = datasets.load(named(tmp_path), shape=(8, 8, 1))
    assert [len(all_three.split(name).labels) for name in SPLITS] == [18, 9, 12]
    np.testing.assert_array_equal(all_three.validation.read(), both.validation.read())
    assert "no test/" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "counts"),
    [
        (("Training", "Testing"), (27, 3, 30)),
        (("training_set", "test_set"), (27, 3, 30)),
        (("seg_train/seg_train", "seg_test/seg_test"), (27, 3, 30)),
        (("archive/TRAIN", "archive/TEST"), (27, 3, 30)),
        (("asl_alphabet_train", "asl_alphabet_test"), (27, 3, 30)),
        (("Train", "Val", "Test"), (30, 30, 30)),
        (("train", "valid"), (30, 30, 30)),
        (("Training Data", "Validation Data"), (30, 30, 30)),
        (("training", "dev", "eval"), (30, 30, 30)),
        (("train",), (21, 3, 6)),
    ],
    ids=lambda value: " ".join(map(str, value)),
)
def test_splits_by_any_common_name(
    names: tuple[str, ...], counts: tuple[int, ...], tmp_path: Path
) -> None:
    for place, name in enumerate(names):
        write(tmp_path / name, first=10 * place)
    found = datasets.load(named(tmp_path), shape=(8, 8, 1))
    assert found.classes == NAMES
    assert tuple(len(found.split(name).labels) for name in SPLITS) == counts
    assert all(len(np.unique(found.split(name).labels)) == 3 for name in SPLITS)


def test_a_missing_validation_split_is_held_out_from_train(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "train", count=20)
    write(tmp_path / "test", first=20)
    write(tmp_path / "extra")
    first, second = (datasets.load(named(tmp_path), shape=(8, 8, 1)) for _ in range(2))
    assert np.bincount(first.validation.labels).tolist() == [2, 2, 2]
    np.testing.assert_array_equal(first.validation.read(), second.validation.read())
    images = np.concatenate([first.train.read(), first.validation.read()]).reshape(60, -1)
    assert len(np.unique(images, axis=0)) == 60
    said = capsys.readouterr().err.splitlines()[0]
    assert "54 training, 6 validation (a tenth of train/) and 30 test images; extra left" in said


@pytest.mark.parametrize("classes", [("train", "car"), ("valid", "invalid"), ("a_train", "b_test")])
def test_classes_may_be_named_like_splits(classes: tuple[str, ...], tmp_path: Path) -> None:
    for name, own in zip(NAMES, classes, strict=False):
        (write(tmp_path / "all") / name).rename(tmp_path / own)
        shutil.rmtree(tmp_path / "all")
    assert datasets.load(named(tmp_path), shape=(8, 8, 1)).classes == tuple(sorted(classes))


def test_each_class_may_have_its_images_in_a_sub_folder_of_the_same_name(tmp_path: Path) -> None:
    for name in NAMES:
        (write(tmp_path / "all") / name).rename(tmp_path / f"{name}.")
        (tmp_path / name).mkdir()
        (tmp_path / f"{name}.").rename(tmp_path / name / "images")
        shutil.rmtree(tmp_path / "all")
    assert datasets.load(named(tmp_path), shape=(8, 8, 1)).classes == NAMES


@pytest.mark.parametrize(
    ("suffix", "kind"),
    [
        (".jfif", "JPEG"),
        (".JPE", "JPEG"),
        (".bmp", "BMP"),
        (".gif", "GIF"),
        (".tif", "TIFF"),
        (".tiff", "TIFF"),
        (".pgm", "PPM"),
    ],
)
def test_formats_that_predict_reads_are_read(suffix: str, kind: str, tmp_path: Path) -> None:
    write(tmp_path / "digits")
    path = tmp_path / "digits" / "one" / f"added{suffix}"
    Image.new("L", (9, 9), 200).save(path, kind)
    listing = image_folder.list_images(tmp_path / "digits")
    assert path in listing.paths
    assert abs(read_images([path], (8, 8, 1)).astype(int) - 200).max() <= 1


def test_other_files_are_counted_and_images_may_be_in_deeper_folders(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "digits")
    (folder / "one" / "notes.txt").write_text("not an image")
    (folder / "one" / ".hidden.png").write_bytes(b"not an image")
    (folder / ".git").mkdir()
    (folder / "README.md").write_text("not a class")
    (folder / "two" / "second roll").mkdir()
    (folder / "two" / "000.png").rename(folder / "two" / "second roll" / "000.png")
    found = datasets.load(named(folder), shape=(8, 8, 1))
    assert sum(len(found.split(name).labels) for name in SPLITS) == 30
    assert "3 classes; 21 training" in (said := capsys.readouterr().err)
    assert "2 other files skipped (1 .txt, 1 hidden); resized to 8×8 gray" in said


def test_a_class_may_be_named_train(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "two").rename(tmp_path / "train")
    assert datasets.load(named(tmp_path), shape=(8, 8, 1)).classes == ("Zero", "one", "train")


def test_the_fingerprint_changes_with_the_images(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits")

    def fingerprint() -> str | None:
        return datasets.load(named(folder), shape=(8, 8, 1)).fingerprint

    before = fingerprint()
    assert before is not None
    assert before.startswith("30 pictures, ")
    assert fingerprint() == before
    os.utime(folder / "one" / "000.png", (0, 0))
    assert fingerprint() == before
    moved = folder.rename(tmp_path / "elsewhere")
    assert datasets.load(named(moved), shape=(8, 8, 1)).fingerprint == before
    (moved / "one" / "000.png").rename(moved / "two" / "other.png")
    assert datasets.load(named(moved), shape=(8, 8, 1)).fingerprint not in (before, None)


def test_a_moved_folder_is_found_in_the_data_folder(tmp_path: Path) -> None:
    write(tmp_path / "new" / "digits")
    gone = named(tmp_path / "old" / "digits")
    assert datasets.load(gone, tmp_path / "new", (8, 8, 1)).classes == NAMES
    with pytest.raises(Error, match="No such folder of images"):
        datasets.load(gone, tmp_path, (8, 8, 1))


def no_classes(folder: Path) -> None:
    folder.mkdir()
    Image.new("L", (8, 8)).save(folder / "a.png")


def one_class(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)
    Image.new("L", (8, 8)).save(folder / "a" / "a.png")


def an_empty_class(folder: Path) -> None:
    write(folder)
    (folder / "three").mkdir()
    (folder / "three" / "a.heic").touch()


def a_small_class(folder: Path) -> None:
    write(folder)
    for path in sorted((folder / "one").iterdir())[4:]:
        path.unlink()


def no_val(folder: Path) -> None:
    write(folder / "Train")
    (folder / "unsorted").mkdir()


def train_twice(folder: Path) -> None:
    for name in ("Train", "training_set", "test"):
        write(folder / name)


def too_few_to_hold_out(folder: Path) -> None:
    write(folder / "train", count=3)
    write(folder / "test")


def folds(folder: Path) -> None:
    for name in ("fold 1", "fold 2"):
        write(folder / name)


def folds_in_train(folder: Path) -> None:
    folds(folder / "train")
    write(folder / "test")


def unsorted_splits(folder: Path) -> None:
    for name in ("train", "test"):
        (folder / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(folder / name / "a.png")


def a_broken_link_to_a_class(folder: Path) -> None:
    (write(folder) / "four").symlink_to(folder / "gone")


def images_of_a_phone(folder: Path) -> None:
    (write(folder) / "four").mkdir()
    for name in ("1.HEIC", "2.heic", "3.heif"):
        (folder / "four" / name).write_bytes(HEIC)


def no_train(folder: Path) -> None:
    write(folder / "val")


def no_classes_in_train(folder: Path) -> None:
    write(folder / "val")
    no_classes(folder / "train")


def a_new_class_in_val(folder: Path) -> None:
    write(folder / "train")
    (write(folder / "val") / "two").rename(folder / "val" / "three")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "No such folder of images: {}"),
        (no_classes, "{} has no sub-folders: it needs one for each class"),
        (one_class, "{} has only the class 'a'"),
        (
            images_of_a_phone,
            "{0}/four has no JPEG, PNG, WebP, BMP, GIF, TIFF, PNM image (3 "
            "other files: 2 .heic, 1 .heif): add some, convert these",
        ),
        (an_empty_class, "{}/three has no JPEG, PNG, WebP, BMP, GIF, TIFF, PNM image (1 "),
        (a_small_class, "{}/one has 4 images, and a split needs 5"),
        (no_val, "{} has Train/ but no val/ or test/, and unsorted beside it"),
        (train_twice, "{} has Train/ and training_set/, which name the same split"),
        (too_few_to_hold_out, "{}/train has 9 images, too few to hold out a tenth"),
        (folds, "{0}/fold 1 and {0}/fold 2 are not classes: they have no images"),
        (folds_in_train, "{0}/train/fold 1 and {0}/train/fold 2 are not classes"),
        (unsorted_splits, "{}/train has no sub-folders"),
        (a_broken_link_to_a_class, "{}/four is a link to a path that does not exist"),
        (no_train, "{} has val/ but no train/"),
        (no_classes_in_train, "{}/train has no sub-folders"),
        (a_new_class_in_val, "{}/val/three is a class that the training images lack"),
    ],
)
def test_folders_without_usable_classes_are_refused(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    folder = tmp_path / "images"
    make(folder)
    with pytest.raises(Error) as caught:
        datasets.load(named(folder), shape=(8, 8, 1))
    assert str(caught.value).startswith(message.format(folder))
    assert "\n" not in str(caught.value)


def test_names_are_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert datasets.absolute_name("folder:digits") == named(tmp_path / "digits")
    assert datasets.absolute_name("digits") == "digits"
    with pytest.raises(UsageError, match="Did you mean 'folder:PATH'"):
        datasets.absolute_name("folder:")


@pytest.mark.parametrize(
    ("name", "why"),
    [
        (b"cat\nblack", "line break"),
        (b"cat\r", "line break"),
        ("cat\u2028black".encode(), "line break"),
        (b"gr\xf6\xdfe", "UTF-8"),
    ],
)
def test_a_class_name_that_labels_txt_cannot_hold_is_refused(
    name: bytes, why: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "digits", count=5)
    next(folder.iterdir()).rename(os.fsdecode(os.fsencode(folder) + b"/" + name))
    with pytest.raises(Error, match=why) as caught:
        datasets.load(named(folder))
    assert len(str(caught.value).splitlines()) == 1
    str(caught.value).encode()


def test_the_name_of_an_image_may_be_in_any_encoding(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits", count=5)
    image = next(next(folder.iterdir()).iterdir())
    image.rename(image.with_name(os.fsdecode(b"gr\xf6\xdfe.png")))
    dataset = datasets.load(named(folder), shape=(8, 8, 1))
    assert dataset.fingerprint
    assert dataset.fingerprint.startswith("15 pictures")
