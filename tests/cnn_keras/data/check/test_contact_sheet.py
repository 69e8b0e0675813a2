from __future__ import annotations

import io

import numpy as np
from PIL import Image

from cnn_keras.data.check.contact_sheet import Row, class_rows, draw, group_rows
from cnn_keras.data.check.samples import Sample


def samples(count: int, num_classes: int) -> list[Sample]:
    def opener(color: int) -> Image.Image:
        return Image.new("RGB", (30, 60), (color, 0, 0))

    return [
        Sample(str(index), "train", index % num_classes, lambda color=index: opener(color))  # type: ignore[misc]
        for index in range(count)
    ]


def test_class_rows_draw_readable_images_of_each_class() -> None:
    everything = samples(60, 3)
    rows = class_rows(everything, ("a", "b", "c"), [*range(30), *range(31, 60, 3)])
    assert [row.caption for row in rows] == ["a: 10 images", "b: 20 images", "c: 10 images"]
    assert all(len(row.samples) == 10 for row in rows)
    assert {each.label for each in rows[1].samples} == {1}
    assert rows == class_rows(everything, ("a", "b", "c"), [*range(30), *range(31, 60, 3)])


def test_many_classes_and_groups_are_cut() -> None:
    everything = samples(100, 50)
    rows = class_rows(everything, [str(index) for index in range(50)], range(100))
    assert len(rows) == 41
    assert rows[-1] == ("and 10 more classes", ())
    groups = group_rows("near", everything, [[index, index + 50] for index in range(25)])
    assert len(groups) == 21
    assert groups[0].caption == "near duplicates, train: 0, train: 50"
    assert groups[-1].caption == "and 5 more groups of near duplicates"


def test_the_sheet_shows_the_images() -> None:
    with Image.open(io.BytesIO(draw([Row("größe 模型\x1b", samples(200, 2)[190:])]))) as sheet:
        pixels = np.asarray(sheet)
    reds = set(pixels[(pixels[..., 1] == 0) & (pixels[..., 2] == 0)][:, 0].tolist())
    assert set(range(190, 200)) <= reds


def test_an_empty_sheet_is_a_picture() -> None:
    assert draw([])[:4] == b"\x89PNG"
