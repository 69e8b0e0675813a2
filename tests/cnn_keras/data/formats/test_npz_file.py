from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.formats import npz_file
from cnn_keras.errors import Error
from tests.fixtures.image_folders import NAMES
from tests.fixtures.own_data import Arrays, digits, keras_arrays, plain_arrays, write_npz

SPLITS = ("train", "validation", "test")


def load(file: Path, data_dir: Path | None = None) -> datasets.Dataset:
    return datasets.load(f"npz:{file}", data_dir)


def counts(dataset: datasets.Dataset) -> list[list[int]]:
    return [np.bincount(dataset.split(name).labels).tolist() for name in SPLITS]


def test_arrays_of_keras_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_npz(tmp_path / "digits.npz", keras_arrays(extra=np.zeros(3)))
    first, second = load(file), load(file)
    assert (first.name, first.classes, first.allows_flip) == ("digits", ("0", "1", "2"), True)
    assert counts(first) == [[9, 9, 9], [1, 1, 1], [4, 4, 4]]
    for split in SPLITS:
        np.testing.assert_array_equal(first.split(split).images, second.split(split).images)
    np.testing.assert_array_equal(first.test.images[..., 0], digits(4, first=10)[0])
    assert capsys.readouterr().err.splitlines()[0] == (
        f"{file}: 3 classes; 27 training, 3 validation (a tenth of train) and 12 test images; "
        "extra left out"
    )
    x, y = digits(2, first=20)
    file = write_npz(tmp_path / "three.npz", keras_arrays(x_val=x, y_val=y[:, None]))
    assert counts(load(file)) == [[10, 10, 10], [2, 2, 2], [4, 4, 4]]


@pytest.mark.parametrize("color", [False, True])
def test_images_and_labels_are_split(color: bool, tmp_path: Path) -> None:
    images, _ = digits()
    if color:
        images = np.stack([images, images, 255 - images], axis=-1)
    dataset = load(write_npz(tmp_path / "a.npz", plain_arrays(images=images)))
    assert dataset.classes == NAMES
    assert counts(dataset) == [[7, 7, 7], [1, 1, 1], [2, 2, 2]]
    everything = np.concatenate([dataset.split(name).images for name in SPLITS])
    assert everything.shape == (30, 8, 8, 3 if color else 1)
    assert len(np.unique(everything.reshape(30, -1), axis=0)) == 30
    split = np.array(["Training", "valid", "eval", "train", "train"] * 6)
    dataset = load(write_npz(tmp_path / "a.npz", plain_arrays(images=images, split=split)))
    assert counts(dataset) == [[6, 6, 6], [2, 2, 2], [2, 2, 2]]
    np.testing.assert_array_equal(dataset.validation.images.squeeze(), images[split == "valid"])


@pytest.mark.parametrize(
    ("labels", "classes", "expected"),
    [
        ([30, 4, 100], None, ("4", "30", "100")),
        (["ten", "two", "one"], None, ("one", "ten", "two")),
        (["b", "c", "a"], ["c", "b", "a"], ("c", "b", "a")),
        ([2, 0, 1], ["c", "b", "a"], ("c", "b", "a")),
    ],
)
def test_labels_are_indices_numbers_or_names(
    labels: list[int] | list[str],
    classes: list[str] | None,
    expected: tuple[str, ...],
    tmp_path: Path,
) -> None:
    images, digit = digits()
    arrays = {"images": images, "labels": np.array(labels)[digit]}
    if classes is not None:
        arrays["classes"] = np.array(classes)
    dataset = load(write_npz(tmp_path / "a.npz", arrays))
    assert dataset.classes == expected
    names = [str(label) if classes is None or isinstance(label, str) else classes[label]
             for label in labels]  # fmt: skip
    for image, label in zip(dataset.train.images, dataset.train.labels, strict=True):
        (place,) = np.flatnonzero((images == image[..., 0]).all(axis=(1, 2)))
        assert names[digit[place]] == expected[label]


def test_the_fingerprint_changes_with_the_arrays_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"

    def fingerprint(**changes: np.ndarray) -> str | None:
        return load(write_npz(file, plain_arrays(**changes))).fingerprint

    before = fingerprint()
    assert before is not None
    assert before.startswith("30 pictures, ")
    images, labels = digits()
    images[0, 0, 0] += 1
    labels[0] = 1
    others = {
        fingerprint(images=images),
        fingerprint(labels=labels),
        fingerprint(classes=np.array([*NAMES[:2], "zwei"])),
        fingerprint(split=np.array(["train", "val", "test"] * 10)),
    }
    assert len(others | {before}) == 5
    np.savez_compressed(file, **plain_arrays())
    assert load(file).fingerprint == before
    moved = (tmp_path / "new").joinpath("a.npz")
    moved.parent.mkdir()
    file.rename(moved)
    assert load(file, moved.parent).fingerprint == before  # found in --data-dir


@pytest.mark.parametrize(
    ("arrays", "shape"),
    [
        (keras_arrays(), (8, 8, 1)),
        (plain_arrays(images=np.zeros((30, 6, 9, 3), np.uint8)), (6, 9, 3)),
        ({"others": np.zeros(3)}, None),
        (plain_arrays(images=np.zeros(30)), None),
        ({"x_test": np.zeros((3, 4, 4)), "y_test": np.zeros(3)}, None),
    ],
    ids=["keras", "color", "others", "one axis", "no training"],
)
def test_the_shape_is_known_without_the_pixels(
    arrays: Arrays, shape: tuple[int, int, int] | None, tmp_path: Path
) -> None:
    file = write_npz(tmp_path / "a.npz", arrays)
    assert npz_file.image_shape(file) == datasets.stored_shape(f"npz:{file}", None) == shape
    (tmp_path / "b.npz").write_bytes(file.read_bytes()[:100])
    assert npz_file.image_shape(tmp_path / "b.npz") is None
    assert npz_file.image_shape(tmp_path / "c.npz") is None


X, Y = digits()
NAN = X.astype(np.float32)
NAN[:2, 0, 0] = np.nan
CALLS = np.array([print] * 30, dtype=object)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (plain_arrays(images=NAN), "{}: images: 2 of 1920 values are NaN or infinite; pixels are"),
        (
            keras_arrays(x_test=digits(4)[0] / 255),
            "{}: x_test is float64; pixels are uint8, from 0 to 255: convert it, where 1.0 is "
            "white with np.rint(255 * images).astype(np.uint8).",
        ),
        (plain_arrays(images=X.astype(np.int64)), "{}: images is int64; pixels are uint8"),
        (plain_arrays(images=X[0]), "{}: images has shape (8, 8); images are (n, height, width)"),
        (plain_arrays(images=X[:0], labels=Y[:0]), "{}: images has shape (0, 8, 8)"),
        (plain_arrays(images=X[..., None, None]), "{}: images has shape (30, 8, 8, 1, 1)"),
        (
            plain_arrays(images=np.zeros((30, 3, 8, 8), np.uint8)),
            "{}: images has shape (30, 3, 8, 8); images are",
        ),
        (
            plain_arrays(images=np.zeros((30, 8, 8, 4), np.uint8)),
            "{}: images has shape (30, 8, 8, 4",
        ),
        (
            keras_arrays(x_test=np.zeros((12, 9, 8), np.uint8)),
            "{} has images of (8, 8) and of (9, 8): all splits need the same shape.",
        ),
        (plain_arrays(labels=Y[:29]), "{}: labels has 29 labels for the 30 images of images."),
        (keras_arrays(y_test=Y), "{}: y_test has 30 labels for the 12 images of x_test."),
        (plain_arrays(labels=Y.astype(float)), "{}: labels is float64; labels are integers or t"),
        (
            plain_arrays(labels=np.eye(3, dtype=int)[Y]),
            "{}: labels has shape (30, 3); labels are (n,): convert one-hot rows with argmax(ax",
        ),
        (plain_arrays(labels=np.array(1)), "{}: labels has shape (); labels are (n,)"),
        (plain_arrays(images=CALLS), "{}: images contains Python objects, which are not loaded"),
        (plain_arrays(labels=CALLS), "{}: labels contains Python objects, which are not loaded"),
        (
            plain_arrays(labels=Y + 1),
            "{} has the label 3, which is outside 0 to 2, the indices of its 3 classes.",
        ),
        (plain_arrays(labels=Y - 1), "{} has the label -1, which is outside 0 to 2"),
        (
            plain_arrays(labels=np.array(["Zero", "one", "three"])[Y]),
            "{} has the label 'three', not among its classes, Zero, one, two.",
        ),
        (
            keras_arrays(y_test=np.repeat([0, 1, 7], 4)),
            "{} has the label '7', a class that the training images lack; they have 0, 1, 2.",
        ),
        (
            plain_arrays(classes=np.array([*NAMES, "three"])),
            "{} has no images of three: each class needs some.",
        ),
        (
            keras_arrays(x_val=X[:10], y_val=Y[:10]),
            "{} has no images of 1, 2 in its split val: each class needs some.",
        ),
        (plain_arrays(labels=0 * Y, classes=np.array(["a"])), "{} has only the class 'a'"),
        (plain_arrays(classes=np.arange(3)), "{}: classes is int64 of shape (3,); it is text of"),
        (plain_arrays(classes=np.array(["a", "b", "a"])), "{}: classes is <U1 of shape (3,)"),
        (plain_arrays(classes=np.array(["a", "b", "c\nd"])), "{}: the class 'c\\nd' has a line b"),
        (plain_arrays(classes=np.array(["a", "b", ""])), "{}: the class '' has an empty name"),
        (plain_arrays(count=4), "{}: Zero has 4 images, and a split needs 5"),
        (plain_arrays(split=np.arange(30)), "{}: split is int64 of shape (30,); it is text of s"),
        (plain_arrays(split=np.array(["train"])), "{}: split is <U5 of shape (1,); it is text of"),
        (
            plain_arrays(split=np.array(["train", "other"] * 15)),
            "{} has the unknown split 'other': name it train, val or test.",
        ),
        (plain_arrays(split=np.array(["val"] * 30)), "{} has no training images: it needs x_tra"),
        ({"x_test": X, "y_test": Y}, "{} has no training images: it needs x_train, y_train"),
        ({"x_train": X}, "{} has x_train but no y_train: add it, or leave x_train out."),
        (
            keras_arrays(x_val=X, x_valid=X, y_val=Y),
            "{} has x_val and x_valid, of the same split: keep one.",
        ),
        ({"a": X, "labels": Y}, "{} has no array images (a, labels): it needs x_train, y_train"),
    ],
)
def test_arrays_that_cannot_be_used_are_refused(
    arrays: Arrays, message: str, tmp_path: Path
) -> None:
    file = write_npz(tmp_path / "a.npz", arrays)
    with pytest.raises(Error) as caught:
        load(file)
    assert str(caught.value).startswith(message.format(file))
    assert "\n" not in str(caught.value)


def write_zip(file: Path) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("images.npy", b"no array")
        archive.writestr("labels.npy", b"no array")


def write_one_array(file: Path) -> None:
    with file.open("wb") as opened:
        np.save(opened, X)


def damage(file: Path) -> None:
    np.savez(file, **plain_arrays())
    content = bytearray(file.read_bytes())
    content[500] ^= 255
    file.write_bytes(content)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: None, "No such file: {}."),
        (Path.touch, "{} is not an .npz file or is truncated: write it with numpy.savez."),
        (lambda file: file.write_text("images"), "{} is not an .npz file or is truncated"),
        (write_one_array, "{} is not an .npz file or is truncated"),
        (lambda file: file.write_text("<html>"), "{} is an HTML page, not the file"),
        (write_zip, "{}: images is |S8; pixels are uint8, from 0 to 255"),
        (damage, "{} cannot be read at images: Bad CRC-32 for file 'images.npy'."),
    ],
    ids=["none", "empty", "text", "npy", "page", "zip", "damaged"],
)
def test_other_files_are_refused(make: object, message: str, tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    assert callable(make)
    make(file)
    with pytest.raises(Error) as caught:
        load(file)
    assert str(caught.value).startswith(message.format(file))
    assert "\n" not in str(caught.value)
