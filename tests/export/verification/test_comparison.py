from __future__ import annotations

import numpy as np
import pytest

from export.verification.comparison import compare

REFERENCE = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]], np.float32)
OUTPUTS = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], np.float32)
LABELS = np.array([0, 1, 0, 1])


def test_lost_and_gained_images_are_counted() -> None:
    comparison, lost, gained = compare(OUTPUTS, REFERENCE, REFERENCE, LABELS)
    assert (lost, gained) == (1, 1)
    assert (comparison.top1_float, comparison.top1_file) == (0.75, 0.75)
    assert (comparison.drop_points, comparison.agreement) == (0, 0.5)
    assert comparison.max_abs_error == pytest.approx(0.6)
    signal, noise = np.square(REFERENCE).sum(), np.square(OUTPUTS - REFERENCE).sum()
    assert comparison.snr_db == pytest.approx(10 * np.log10(signal / noise))


def test_without_labels_there_is_no_accuracy() -> None:
    comparison, _, _ = compare(OUTPUTS, REFERENCE, REFERENCE, None)
    assert (comparison.top1_float, comparison.drop_points) == (None, None)
    assert comparison.agreement == 0.5
