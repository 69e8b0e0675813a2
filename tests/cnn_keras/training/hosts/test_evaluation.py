"""On two processes of JAX."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from cnn_keras.training.evaluate import scores
from tests.fixtures.hosts.processes import COUNT, PREPROCESSING, split


def test_uneven_splits_are_evaluated_exactly(joint: dict[str, Any]) -> None:
    kernel, bias = map(np.array, joint["weights"])
    logits = PREPROCESSING(split().images).reshape(COUNT, -1) @ kernel + bias
    expected = np.exp(logits - logits.max(1, keepdims=True))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(joint["probabilities"], expected, atol=1e-5)
    of_all = scores(expected, split().labels)
    assert joint["evaluated"]["accuracy"] == pytest.approx(of_all["accuracy"])
    assert joint["evaluated"]["loss"] == pytest.approx(of_all["loss"], rel=1e-5)
