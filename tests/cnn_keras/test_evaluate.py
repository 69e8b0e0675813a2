from __future__ import annotations

import math

import numpy as np
import pytest

from cnn_keras.evaluate import confusion_matrix, mean_interval, scores, top_k, wilson

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
