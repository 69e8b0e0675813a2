"""Update weights with TensorFlow's fused operation of SGD with momentum."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def fuse_sgd(optimizer: keras.optimizers.Optimizer) -> None:
    """Let SGD with momentum update each weight with one operation.

    Keras 3 composes the update of five, each of which reads and writes all weights. The weight
    decay multiplies all weights once instead of twice. The results differ only by rounding. Saved
    optimizers, other optimizers and other backends stay as they are.

    Args:
        optimizer: The optimizer of a model that is trained next.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if isinstance(optimizer, keras.optimizers.SGD) and optimizer.momentum:
        optimizer.update_step = _fused_update(optimizer)
        optimizer._apply_weight_decay = _weight_decay(optimizer)


def _fused_update(optimizer: keras.optimizers.SGD) -> Any:
    """Return the `update_step` of an optimizer."""
    import tensorflow as tf

    def update_step(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        momentum = optimizer.momentums[optimizer._get_variable_index(variable)]
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=momentum.value.handle,
            lr=tf.cast(learning_rate, variable.dtype),
            grad=tf.cast(gradient, variable.dtype),
            momentum=tf.cast(optimizer.momentum, variable.dtype),
            use_nesterov=optimizer.nesterov,
        )

    return update_step


def _weight_decay(optimizer: keras.optimizers.SGD) -> Any:
    """Return the `_apply_weight_decay` of an optimizer."""

    def apply_weight_decay(variables: Sequence[keras.Variable]) -> None:
        if optimizer.weight_decay is None:
            return
        decay = optimizer.learning_rate * optimizer.weight_decay
        for variable in variables:
            if optimizer._use_weight_decay(variable):
                weights = variable.value
                weights.assign_sub(weights * decay)

    return apply_weight_decay
