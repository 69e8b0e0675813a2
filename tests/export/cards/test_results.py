from __future__ import annotations

import pytest

from export.cards.results import class_results, largest_confusions, split_results

MATRIX = [[7, 1, 2], [0, 5, 0], [3, 0, 0], [0, 0, 0]]
CLASSES = ["cat", "dog", "eel", "fox"]


def test_classes_without_test_images_are_left_out() -> None:
    matrix = [[*row, 0] for row in MATRIX]
    found = class_results(CLASSES, matrix)
    assert [(each.name, each.num_images, each.correct) for each in found] == [
        ("cat", 10, 7),
        ("dog", 5, 5),
        ("eel", 3, 0),
    ]
    assert found[0].accuracy == pytest.approx(0.7)
    low, high = found[0].interval
    assert 0 < low < 0.7 < high < 1


def test_confusions_are_sorted_and_those_that_never_happen_are_left_out() -> None:
    matrix = [[*row, 0] for row in MATRIX]
    found = largest_confusions(CLASSES, matrix, 10)
    assert [each[:3] for each in found] == [("eel", "cat", 3), ("cat", "eel", 2), ("cat", "dog", 1)]
    assert [each.fraction for each in found] == [1.0, 0.2, 0.1]
    assert largest_confusions(CLASSES, matrix, 1) == found[:1]


def test_results_of_early_versions_lack_some_figures() -> None:
    (found,) = split_results({"test": {"accuracy": 0.9, "num_images": 100}, "train_seconds": 1.0})
    assert (found.split, found.balanced_accuracy, found.loss) == ("test", None, None)
    assert split_results({}) == []
