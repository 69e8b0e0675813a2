from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from cnn_keras.training.evaluate import (
    confusion_matrix,
    doubt_of,
    mean_interval,
    scores,
    top_k,
    wilson,
)

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2]], np.float32)
LABELS = np.array([0, 2, 0])


def test_scores() -> None:
    found = scores(PROBABILITIES, LABELS)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(-(math.log(0.7) + math.log(0.3) + math.log(0.5)) / 3)
    assert found["num_images"] == 3


def test_confusion_counts_true_rows_and_predicted_columns() -> None:
    expected = [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert confusion_matrix(PROBABILITIES, LABELS).tolist() == expected


CLASSES = ("a", "b", "c", "d")


def answered(*counts: int) -> Any:
    """Return probabilities that name each class so many times."""
    return np.eye(len(CLASSES))[np.repeat(range(len(CLASSES)), counts)]


# Of 100 pictures, 25 of each class: 33 or more are right by chance in 4.5 % of the trials, 32 in 7.
@pytest.mark.parametrize(("right", "doubted"), [(0, True), (25, True), (32, True), (33, False)])
def test_answers_no_better_than_chance_are_doubted(right: int, doubted: bool) -> None:
    labels = np.repeat(range(4), 25)
    answers = np.where(np.arange(100) % 25 < -(-right // 4), labels, (labels + 1) % 4)
    answers[np.flatnonzero(answers == labels)[right:]] += 1
    found = doubt_of(np.eye(4)[answers % 4], labels, CLASSES)
    assert (answers % 4 == labels).sum() == right
    assert (found is not None) == doubted
    if found:
        assert (
            f"gets {right} of 100 pictures right, no more than by chance: 'a' alone is 25%" in found
        )


def test_the_commonest_class_is_what_chance_names() -> None:
    labels = np.repeat([0, 1], [90, 10])
    assert doubt_of(answered(100, 0, 0, 0), labels, CLASSES)
    assert doubt_of(answered(94, 6, 0, 0), labels, CLASSES) is None  # 96 right
    assert doubt_of(answered(91, 9, 0, 0)[::-1], labels, CLASSES)
    assert doubt_of(answered(5, 0, 0, 0), np.zeros(5, int), CLASSES) is None  # all that there is


def test_few_pictures_prove_little() -> None:
    labels = np.repeat([0, 1, 2], 2)
    assert doubt_of(np.eye(4)[[0, 0, 1, 1, 0, 0]], labels, CLASSES)
    assert doubt_of(np.eye(4)[[0, 0, 1, 1, 2, 0]], labels, CLASSES) is None


@pytest.mark.parametrize(("counts", "doubted"), [((95, 5, 0, 0), True), ((0, 94, 6, 0), False)])
def test_one_answer_for_unlabeled_pictures_is_doubted(
    counts: tuple[int, ...], doubted: bool
) -> None:
    found = doubt_of(answered(*counts), None, CLASSES)
    assert (found is not None) == doubted
    if found:
        assert "answers 'a' for 95% of 100 unlabeled pictures" in found


def test_top_k_is_sorted() -> None:
    guesses = top_k(PROBABILITIES[1], ("a", "b", "c"), 2)
    assert [guess.label for guess in guesses] == ["b", "c"]


def test_intervals() -> None:
    low, high = wilson(0.9, 100)
    assert (round(low, 4), round(high, 4)) == (0.8256, 0.9448)  # by R's prop.test, no correction
    mean, low, high = mean_interval([0.98, 0.99, 1.0])
    assert mean == pytest.approx(0.99)
    assert high - mean == pytest.approx(4.302653 * 0.01 / math.sqrt(3))
    with pytest.raises(ValueError, match="two or more"):
        mean_interval([0.9])
