from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, recall_score

from cnn_keras.training.evaluate import baseline_warning, confusion_matrix, scores, top_k

PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.5, 0.3, 0.2]], np.float32)
LABELS = np.array([0, 2, 0])


def test_scores() -> None:
    found = scores(PROBABILITIES, LABELS)
    assert found["accuracy"] == pytest.approx(2 / 3)
    assert found["loss"] == pytest.approx(-(math.log(0.7) + math.log(0.3) + math.log(0.5)) / 3)
    assert found["num_images"] == 3


def test_recall_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    labels[:150] = 0
    probabilities = random.random((200, 4), np.float32)  # no image is of the last class
    probabilities[:150, 0] += 0.5
    predicted = probabilities.argmax(axis=1)
    found = scores(probabilities, labels)
    recall = recall_score(labels, predicted, labels=range(3), average=None)
    assert found["recall"] == [*recall.tolist(), None]
    with pytest.warns(UserWarning, match="y_pred contains classes not in y_true"):
        expected = balanced_accuracy_score(labels, predicted)
    assert found["balanced_accuracy"] == pytest.approx(expected, rel=1e-12)
    assert abs(found["balanced_accuracy"] - found["accuracy"]) > 0.01


def test_confusion_counts_true_rows_and_predicted_columns() -> None:
    expected = [[2, 0, 0], [0, 0, 0], [0, 1, 0]]
    assert confusion_matrix(PROBABILITIES, LABELS).tolist() == expected


CLASSES = ("a", "b", "c", "d")


def predicting(*counts: int) -> Any:
    """Return probabilities that predict each class this many times."""
    return np.eye(len(CLASSES))[np.repeat(range(len(CLASSES)), counts)]


# Of 100 images, 25 per class, 33 or more are right by chance in 4.5 % of the trials, 32 in 7 %.
@pytest.mark.parametrize(("right", "warned"), [(0, True), (25, True), (32, True), (33, False)])
def test_predictions_no_better_than_chance_cause_a_warning(right: int, warned: bool) -> None:
    labels = np.repeat(range(4), 25)
    answers = np.where(np.arange(100) % 25 < -(-right // 4), labels, (labels + 1) % 4)
    answers[np.flatnonzero(answers == labels)[right:]] += 1
    found = baseline_warning(np.eye(4)[answers % 4], labels, CLASSES)
    assert (answers % 4 == labels).sum() == right
    assert (found is not None) == warned
    if found:
        assert (
            f"classifies {right} of 100 images correctly, no better than a constant prediction: "
            "'a' is 25%" in found
        )


def test_the_baseline_is_the_most_frequent_class() -> None:
    labels = np.repeat([0, 1], [90, 10])
    assert baseline_warning(predicting(100, 0, 0, 0), labels, CLASSES)
    assert baseline_warning(predicting(94, 6, 0, 0), labels, CLASSES) is None  # 96 right
    assert baseline_warning(predicting(91, 9, 0, 0)[::-1], labels, CLASSES)
    assert (
        baseline_warning(predicting(5, 0, 0, 0), np.zeros(5, int), CLASSES) is None
    )  # the only class


def test_few_images_prove_little() -> None:
    labels = np.repeat([0, 1, 2], 2)
    assert baseline_warning(np.eye(4)[[0, 0, 1, 1, 0, 0]], labels, CLASSES)
    assert baseline_warning(np.eye(4)[[0, 0, 1, 1, 2, 0]], labels, CLASSES) is None


@pytest.mark.parametrize(("counts", "warned"), [((95, 5, 0, 0), True), ((0, 94, 6, 0), False)])
def test_one_class_for_all_unlabeled_images_causes_a_warning(
    counts: tuple[int, ...], warned: bool
) -> None:
    found = baseline_warning(predicting(*counts), None, CLASSES)
    assert (found is not None) == warned
    if found:
        assert "predicts 'a' for 95% of 100 unlabeled images" in found


def test_top_k_is_sorted() -> None:
    guesses = top_k(PROBABILITIES[1], ("a", "b", "c"), 2)
    assert [guess.label for guess in guesses] == ["b", "c"]
