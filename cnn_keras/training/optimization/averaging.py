"""Evaluate and save a network with the moving average of its weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np


@contextmanager
def averaged_weights(model: keras.Model) -> Iterator[None]:
    """Let a compiled model have the moving average of its weights, if its optimizer keeps one.

    The weights before are restored exactly. `keras.callbacks.SwapEMAWeights` exchanges them by sums
    and differences on TensorFlow, which changes their last bits.
    """
    # In float16 the optimizer is in a `LossScaleOptimizer`.
    if not getattr(model.optimizer, "inner_optimizer", model.optimizer).use_ema:
        yield
        return
    variables = model.trainable_variables
    before = [np.array(variable) for variable in variables]
    model.optimizer.finalize_variable_values(variables)
    try:
        yield
    finally:
        for variable, value in zip(variables, before, strict=True):
            variable.assign(value)


class EvaluateAverage(keras.callbacks.Callback):
    """Lets `model.fit` validate with the moving average of the weights."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the average in place of the weights."""
        self.stack.enter_context(averaged_weights(self.model))

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the weights."""
        self.stack.close()
