from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data import datasets
from cnn_keras.errors import Error
from tests.fixtures.image_folders import NAMES, write
from tests.fixtures.own_data import Row, rows_of, write_csv

SPLITS = ("train", "validation", "test")
SHAPE = (8, 8, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("images") / "digits")


def load(file: Path, data_dir: Path | None = None) -> datasets.Dataset:
    return datasets.load(f"csv:{file}", data_dir, SHAPE)


def with_splits(rows: list[Row], **shares: int) -> list[Row]:
    """Return the rows with splits in turn: `train=8, val=2` are eight rows and two rows."""
    cycle = [name for name, share in shares.items() for _ in range(share)]
    return [row | {"split": cycle[place % len(cycle)]} for place, row in enumerate(rows)]


def test_a_list_without_splits_is_split_like_its_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write_csv(
        folder.parent / "a.csv",
        [row | {"path": f"digits/{row['path']}"} for row in reversed(rows_of(folder))],
    )
    listed, expected = load(file), datasets.load(f"folder:{folder}", shape=SHAPE)
    assert (listed.name, listed.classes, listed.allows_flip) == ("a", NAMES, True)
    for split in SPLITS:
        for values, same in zip(listed.split(split), expected.split(split), strict=True):
            np.testing.assert_array_equal(values, same)
    line, _ = capsys.readouterr().err.splitlines()
    assert line == (
        f"{file}: 3 classes; 21 training, 3 validation and 6 test images; resized to 8×8 gray"
    )


@pytest.mark.parametrize(
    ("shares", "counts", "remark"),
    [
        ({"train": 6, "val": 2, "test": 2}, (18, 6, 6), "6 validation and 6 test images;"),
        ({"Training": 6, "valid": 2, "test_set": 2}, (18, 6, 6), ""),
        ({"train": 5, "test": 5}, (14, 1, 15), "1 validation (a tenth of train) and 15 test"),
        ({"train": 5, "dev": 5}, (15, 15, 15), "15 test images (val, because there is no test);"),
        ({"train": 1}, (21, 3, 6), ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_the_column_split_names_splits(
    shares: dict[str, int],
    counts: tuple[int, ...],
    remark: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = write_csv(folder / "list.csv", with_splits(rows_of(folder), **shares))
    try:
        dataset = load(file)
    finally:
        file.unlink()
    assert tuple(len(dataset.split(name).labels) for name in SPLITS) == counts
    assert remark in capsys.readouterr().err


def test_spreadsheets_and_other_columns_are_read(folder: Path, tmp_path: Path) -> None:
    lines = [
        f' {row["label"]} ,"{folder / row["path"]}",1,{("train", "val")[place % 2]}\r\n'
        for place, row in enumerate(rows_of(folder))
    ]
    file = tmp_path / "list.csv"
    text = "label, path, weight, split\r\n" + "\r\n".join(lines) + ",,,\r\n"
    file.write_bytes(text.encode("utf-8-sig"))
    assert load(file).classes == NAMES


def test_the_fingerprint_changes_with_labels_splits_and_images_alone(
    tmp_path: Path, folder: Path
) -> None:
    images = write(tmp_path / "one" / "digits")
    rows = with_splits(rows_of(images), train=3, val=2)
    file = images / "list.csv"

    def fingerprint(rows: list[Row]) -> str | None:
        return load(write_csv(file, rows)).fingerprint

    before = fingerprint(rows)
    assert before is not None
    assert before.startswith("30 pictures, ")
    assert fingerprint(rows[::-1]) == before
    other_label = [rows[0] | {"label": "one"}, *rows[1:]]
    other_split = [rows[0] | {"split": "val"}, *rows[1:]]
    values = {fingerprint(rows[1:]), fingerprint(other_label), fingerprint(other_split)}
    assert len(values | {before}) == 4
    fingerprint(rows)
    moved = images.rename(tmp_path / "digits")
    assert load(moved / "list.csv").fingerprint == before
    assert load(file, moved).fingerprint == before  # found in --data-dir
    Image.new("L", (30, 30)).save(moved / rows[0]["path"])
    assert load(moved / "list.csv").fingerprint != before


def without(rows: list[Row], name: str) -> list[Row]:
    return [{key: value for key, value in row.items() if key != name} for row in rows]


def replaced(**values: str) -> Callable[[list[Row]], list[Row]]:
    """Return a change of the second row, which is the third line of the file."""
    return lambda rows: [rows[0], rows[1] | values, *rows[2:]]


def many_missing(rows: list[Row]) -> list[Row]:
    return [*rows, *({"path": f"{i:02}.png", "label": "one"} for i in range(23))]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda rows: without(rows, "path"), "{} has no column 'path': its first line must be pa"),
        (lambda rows: without(rows, "label"), "{} has no column 'label': its first line must be "),
        (
            lambda rows: [{"path;label": f"{row['path']};{row['label']}"} for row in rows],
            "{} has no column 'path': its first line must be path,label or path,label,split, "
            "with commas, and is 'path;label'.",
        ),
        (replaced(label=""), "{}, line 3 has no label: fill it in"),
        (replaced(path=" "), "{}, line 3 has no path: fill it in"),
        (replaced(label='"a\nb"'), "{}, line 4: the label 'a\\nb' has a line break"),
        (replaced(label="one,two"), "{}, line 3 has 3 values for 2 columns."),
        (replaced(label='"one'), "{} cannot be read as CSV: "),
        (
            replaced(path="gone.png"),
            "{0} lists images that are missing: gone.png. Paths are relative to {1}.",
        ),
        (
            many_missing,
            "{0} lists images that are missing: 00.png, "
            + "".join(f"{i:02}.png, " for i in range(1, 19))
            + "19.png and 3 more. Paths are relative to {1}.",
        ),
        (
            lambda rows: [*rows, rows[0] | {"path": f"one/../{rows[0]['path']}"}],
            "{} lists images more than once, which may mix its splits: Zero/000.png, one/../Zero",
        ),
        (
            lambda rows: with_splits(rows, train=5, validierung=5),
            "{}, line 7 has the unknown split 'validierung': name it train, val or test.",
        ),
        (
            lambda rows: with_splits(rows, **{"train": 5, "": 5}),
            "{}, line 7 has the unknown split ''",
        ),
        (lambda rows: with_splits(rows, val=5, test=5), "{} has no training images: name the "),
        (lambda rows: rows[:9], "{} has only the class 'Zero': a classifier needs two or more."),
        (lambda rows: rows[:14], "{}: one has 4 images, and a split needs 5"),
        (
            lambda rows: with_splits(rows[::5], train=3, test=1),
            "{}: train has 5 images, too few to hold out a tenth for validation",
        ),
        (
            lambda rows: with_splits(rows, train=20, val=10),
            "{}: the label 'two' of two/000.png is a class that the training images lack; they "
            "have Zero, one.",
        ),
        (
            lambda rows: with_splits(rows, val=10, train=20),
            "{}: the label 'Zero' of Zero/000.png is a class that the training images lack",
        ),
        (
            lambda rows: with_splits([*rows[10:], *rows[:10]], val=5, train=25),
            "{} has no images of Zero, two in its split val: each class needs some.",
        ),
    ],
)
def test_lists_that_cannot_be_used_are_refused(
    change: Callable[[list[Row]], list[Row]], message: str, tmp_path: Path
) -> None:
    folder = write(tmp_path / "digits")
    file = write_csv(folder / "list.csv", change(rows_of(folder)))
    with pytest.raises(Error) as caught:
        load(file)
    assert str(caught.value).startswith(message.format(file, folder))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "No such file: {}."),
        (b"", "{} is empty: its first line is path,label or path,label,split."),
        (b"path,label\n", "{} lists no images: it needs a line for each image after the header."),
        (b"path,label\n\xff\xfe,a\n", "{} is not text in UTF-8: save it as CSV in UTF-8."),
        (b"version https://git-lfs.github.com/spec/v1\n", "{} is a Git LFS pointer"),
    ],
)
def test_files_without_a_list_are_refused(
    content: bytes | None, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "list.csv"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Error) as caught:
        load(file)
    assert str(caught.value).startswith(message.format(file))
    assert "\n" not in str(caught.value)
