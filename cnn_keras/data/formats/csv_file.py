"""Images that a CSV file lists, with their labels and splits."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ...errors import Error
from ..downloads import require_downloaded
from ..image_folder import (
    MAX_NAMED,
    LabeledPaths,
    class_name_problem,
    enumerate_names,
    fingerprint_of,
    split_name,
)
from ..splits import require_classes


class Listing(NamedTuple):
    """The images of a CSV file.

    Attributes:
        splits: Images of the same classes by ``"train"``, ``"val"`` and ``"test"``; or all images
            by ``"all"``, if the file has no splits or only training images.
        classes: Class names, sorted.
        fingerprint: Changes with the paths, labels and splits in the file and the sizes of the
            images, but not with the order of the lines.
    """

    splits: dict[str, LabeledPaths]
    classes: tuple[str, ...]
    fingerprint: str


class _Row(NamedTuple):
    """A line of the file; rows are sorted like the images of a folder: by class and path."""

    label: str
    path: Path
    listed: str  # the path as it is in the file
    split: str


def read_listing(file: Path) -> Listing:
    """Read a CSV file with the columns `path`, `label` and, if it has splits, `split`.

    Its first line names the columns, in any order; other columns are ignored. Paths are relative to
    the folder of the file. Splits have any of the names that folders of splits may have.

    Args:
        file: The file, in UTF-8, with commas between the values.

    Raises:
        Error: The file or an image that it lists is missing, a column is missing, a value is empty
            or unknown, an image is listed twice, or a split lacks a class.
    """
    rows = sorted(_read_rows(file))
    _require_files(file, rows)
    found = {row.split for row in rows}
    if found == {"train"}:
        rows = [row._replace(split="all") for row in rows]
    elif "all" not in found and "train" not in found:
        raise Error(f"{file} has no training images: name the split of some lines train.")
    classes = tuple(sorted({row.label for row in rows if row.split in ("all", "train")}))
    indices = {name: index for index, name in enumerate(classes)}
    for row in rows:
        if row.label not in indices:
            raise Error(
                f"{file}: the label '{row.label}' of {row.listed} is a class that the training "
                f"images lack; they have {enumerate_names(classes, 10)}."
            )
    splits = {}
    for split in ("all", "train", "val", "test"):
        if chosen := [row for row in rows if row.split == split]:
            labels = np.array([indices[row.label] for row in chosen], np.int64)
            paths = tuple(row.path for row in chosen)
            splits[split] = LabeledPaths(file.parent, classes, paths, labels, Counter())
    require_classes(splits, classes, file)
    fingerprint = fingerprint_of(
        (f"{row.listed} {row.label} {row.split}", row.path) for row in rows
    )
    return Listing(splits, classes, fingerprint)


def _read_rows(file: Path) -> list[_Row]:
    if not file.is_file():
        raise Error(f"No such file: {file}.")
    require_downloaded(file)
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:  # spreadsheets write a BOM
            rows = list(_parse(file, lines))
    except UnicodeDecodeError as error:
        raise Error(f"{file} is not text in UTF-8: save it as CSV in UTF-8.") from error
    except (OSError, csv.Error) as error:
        raise Error(f"{file} cannot be read as CSV: {error}.") from error
    if not rows:
        raise Error(f"{file} lists no images: it needs a line for each image after the header.")
    return rows


def _parse(file: Path, lines: Iterable[str]) -> Iterator[_Row]:
    """Yield the rows of a CSV file."""
    reader = csv.reader(lines, strict=True)
    header = [name.strip() for name in next(reader, [])]
    if not header:
        raise Error(f"{file} is empty: its first line is path,label or path,label,split.")
    for name in ("path", "label"):
        if name not in header:
            raise Error(
                f"{file} has no column '{name}': its first line must be path,label or "
                f"path,label,split, with commas, and is {','.join(header)!a}."
            )
    for cells in reader:
        if not any(map(str.strip, cells)):
            continue
        where = f"{file}, line {reader.line_num}"
        if len(cells) != len(header):
            raise Error(f"{where} has {len(cells)} values for {len(header)} columns.")
        row = dict(zip(header, map(str.strip, cells), strict=True))
        split = split_name(row["split"]) if "split" in row else "all"
        if split is None:
            raise Error(
                f"{where} has the unknown split '{row['split']}': name it train, val or test."
            )
        for name in ("path", "label"):
            if not row[name]:
                raise Error(f"{where} has no {name}: fill it in, or delete the line.")
        if problem := class_name_problem(row["label"]):
            raise Error(f"{where}: the label {row['label']!a} has {problem}: change it.")
        yield _Row(row["label"], file.parent / row["path"], row["path"], split)


def _require_files(file: Path, rows: list[_Row]) -> None:
    """Refuse rows whose image is missing or listed twice."""
    if missing := [row.listed for row in rows if not row.path.is_file()]:
        raise Error(
            f"{file} lists images that are missing: "
            f"{enumerate_names(sorted(missing), MAX_NAMED)}. Paths are relative to {file.parent}."
        )
    paths = [os.path.normpath(row.path) for row in rows]
    counts = Counter(paths)
    if twice := [row.listed for row, path in zip(rows, paths, strict=True) if counts[path] > 1]:
        raise Error(
            f"{file} lists images more than once, which may mix its splits: "
            f"{enumerate_names(sorted(set(twice)), MAX_NAMED)}. Keep one line for each."
        )
