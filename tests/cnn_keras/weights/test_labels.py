from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error
from cnn_keras.weights.labels import class_names, class_names_for
from tests.fixtures import image_folders
from tests.fixtures.external_models import pixels


def test_imagenet_has_a_thousand_labels() -> None:
    labels = class_names(1000)
    assert len(set(labels)) == 1000
    assert (labels[0], labels[985], labels[999]) == ("tench", "daisy", "toilet tissue")
    assert class_names(3) == ("0", "1", "2")


@pytest.mark.parametrize(
    "content",
    ["größe\n模型\ncat", "\ufeffgröße\r\n模型\r\ncat\r\n", "größe \n\n\t模型\u3000\n cat\n\n"],
    ids=["plain", "Windows", "blanks"],
)
def test_labels_are_the_lines_of_a_text_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(content.encode())
    assert class_names(3, path) == ("größe", "模型", "cat")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_labels_in_another_encoding_are_refused(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("größe\ncat".encode(encoding))
    with pytest.raises(Error, match="save it as text in UTF-8"):
        class_names(2, path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ("0 Zero, 1 one, 2 two", ("Zero", "one", "two")),  # as Teachable Machine writes them
        ("0 two, 1 Zero, 2 one", ("two", "Zero", "one")),
        ("two, one, Zero", ("two", "one", "Zero")),
    ],
)
def test_numbers_before_labels_are_dropped_if_the_data_set_has_none(
    names: str, expected: tuple[str, ...], tmp_path: Path
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text(names.replace(", ", "\n"))
    split = Split(pixels(), np.zeros(0, np.int64))
    dataset = datasets.Dataset("pictures", split, split, split, image_folders.NAMES, False)
    assert class_names_for(dataset, 3, labels) == expected
    own = dataset._replace(classes=("0 Zero", "1 one", "2 two"))
    assert class_names_for(own, 3, labels) == tuple(names.split(", "))
    assert class_names_for(dataset._replace(classes=()), 3, labels) == tuple(names.split(", "))
