"""A picture of a data set: some images of each class, then its duplicates."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from ...command import printable
from ..preprocessing import upright_opaque
from .samples import Sample

_CELL, _GAP, _CAPTION = 96, 4, 18  # pixels
_COLUMNS = 10
_MAX_CLASSES = 40
_MAX_GROUPS = 20


class Row(NamedTuple):
    """A line of images and the text above it."""

    caption: str
    samples: Sequence[Sample]


def class_rows(
    samples: Sequence[Sample], classes: Sequence[str], readable: Sequence[int]
) -> list[Row]:
    """Return up to ten images of each class, drawn with a fixed seed, of up to forty classes.

    Args:
        samples: All images.
        classes: Class names.
        readable: Indices of the images to draw from.
    """
    by_class: dict[int, list[int]] = {}
    for index in np.random.default_rng(0).permutation(np.asarray(readable, np.int64)).tolist():
        by_class.setdefault(samples[index].label, []).append(index)
    rows = [
        Row(
            f"{classes[label]}: {len(indices):,} images",
            [samples[index] for index in sorted(indices[:_COLUMNS])],
        )
        for label, indices in sorted(by_class.items())
    ]
    if len(rows) > _MAX_CLASSES:
        more = Row(f"and {len(rows) - _MAX_CLASSES} more classes", ())
        return [*rows[:_MAX_CLASSES], more]
    return rows


def group_rows(kind: str, samples: Sequence[Sample], groups: Sequence[Sequence[int]]) -> list[Row]:
    """Return a row for each of the first twenty groups of duplicates.

    Args:
        kind: ``"exact"`` or ``"near"``.
        samples: All images.
        groups: Indices of duplicates.
    """
    rows = []
    for group in groups[:_MAX_GROUPS]:
        names = ", ".join(f"{samples[index].split}: {samples[index].name}" for index in group)
        rows.append(Row(f"{kind} duplicates, {names}", [samples[index] for index in group]))
    if len(groups) > _MAX_GROUPS:
        rows.append(Row(f"and {len(groups) - _MAX_GROUPS} more groups of {kind} duplicates", ()))
    return rows


def draw(rows: Sequence[Row]) -> bytes:
    """Return the rows as a PNG file; of a row, the first ten images are shown."""
    width = _COLUMNS * (_CELL + _GAP) + _GAP
    heights = [_CAPTION + (_CELL + _GAP if row.samples else 0) for row in rows]
    sheet = Image.new("RGB", (width, sum(heights) + _GAP), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    top = 0
    for row, height in zip(rows, heights, strict=True):
        pen.text((_GAP, top + 2), printable(row.caption), "black", font)
        for column, sample in enumerate(row.samples[:_COLUMNS]):
            cell = _thumbnail(sample)
            left = _GAP + column * (_CELL + _GAP) + (_CELL - cell.width) // 2
            sheet.paste(cell, (left, top + _CAPTION + (_CELL - cell.height) // 2))
        top += height
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _thumbnail(sample: Sample) -> Image.Image:
    image = upright_opaque(sample.open()).convert("RGB")
    return ImageOps.contain(image, (_CELL, _CELL), method=Image.Resampling.BILINEAR)
