from __future__ import annotations

import numpy as np
import pytest

from cnn_keras.training.monitoring.confusion_image import draw_confusion


def test_rows_are_relative_to_their_images() -> None:
    balanced = draw_confusion(np.array([[2, 2], [0, 4]]), ["cat", "dog"])
    assert balanced.shape == (372, 372, 3)
    assert balanced.dtype == np.uint8
    # The same shares give the same colors; only the numbers in the cells differ.
    more = draw_confusion(np.array([[2, 2], [0, 9]]), ["cat", "dog"])
    assert 0 < (balanced != more).any(axis=2).mean() < 0.01
    worse = draw_confusion(np.array([[2, 2], [4, 0]]), ["cat", "dog"])
    assert (balanced != worse).any(axis=2).mean() > 0.2


@pytest.mark.parametrize(
    "classes", [["$x", "猫"], ["a name that is much too long for a label", "b"]]
)
def test_classes_may_have_any_name(classes: list[str]) -> None:
    draw_confusion(np.eye(2, dtype=np.int64), classes)


def test_many_classes_have_no_names_and_an_absent_class_no_color() -> None:
    matrix = np.eye(100, dtype=np.int64)
    matrix[3, 3] = 0
    assert draw_confusion(matrix, [str(i) for i in range(100)]).shape == (1000, 1000, 3)
