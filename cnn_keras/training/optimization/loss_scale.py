"""Dynamic loss scaling for float16, which resumes at any step."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("cnn_keras")
class LossScaleOptimizer(keras.optimizers.LossScaleOptimizer):
    """Keras' optimizer of this name, which also counts the batches that it skips.

    Gradients that overflow float16 leave the weights and the step of the inner optimizer, and with
    it the learning rate, as they are. The variable ``iteration`` of this optimizer, which Keras
    does not use, counts these batches, too.

    Reference:
        Micikevicius et al., "Mixed precision training", arXiv:1710.03740, section 3.2.
    """

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Update the weights, or lower the scale if a gradient is not finite."""
        super().apply(grads, trainable_variables)
        self._iterations.assign_add(1)

    def stateless_apply(
        self, optimizer_variables: Any, grads: Any, trainable_variables: Any
    ) -> tuple[Any, Any]:
        """Return the new weights and variables of the optimizer, for JAX."""
        weights, variables = super().stateless_apply(
            optimizer_variables, grads, trainable_variables
        )
        return weights, [
            value + 1 if variable is self._iterations else value
            for variable, value in zip(self.variables, variables, strict=True)
        ]
