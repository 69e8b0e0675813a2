"""The optimizer of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..recipes import Recipe
from .schedule import learning_rate_schedule

if TYPE_CHECKING:
    import keras


def build_optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer with its learning-rate schedule.

    LAMB departs from its paper in one point: Keras subtracts the weight decay from the weights, as
    AdamW does, so that the trust ratio does not include it.

    In float16, the loss is scaled so that gradients do not underflow. The gradients are scaled back
    before they are clipped or accumulated.

    Args:
        recipe: The training recipe.
        steps_per_epoch: Number of batches per epoch.

    Reference:
        Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv:1711.05101 (AdamW).
        You et al., "Large batch optimization for deep learning", arXiv:1904.00962 (LAMB).
    """
    optimizer = _build_in_float32(recipe, steps_per_epoch)
    if recipe.precision != "float16":
        return optimizer
    from .loss_scale import LossScaleOptimizer

    return LossScaleOptimizer(optimizer)


def _build_in_float32(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    import keras

    accumulated = recipe.gradient_accumulation_steps
    shared: dict[str, Any] = {
        "learning_rate": learning_rate_schedule(recipe, steps_per_epoch),
        "global_clipnorm": recipe.clip_norm or None,
        "gradient_accumulation_steps": accumulated if accumulated > 1 else None,
    }
    if recipe.ema_momentum:
        # Keras updates the average after each batch, also after those that leave the weights as
        # they are. With this momentum it forgets at the recipe's rate per update of the weights.
        shared |= {"use_ema": True, "ema_momentum": recipe.ema_momentum ** (1 / accumulated)}
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(
            momentum=recipe.momentum,
            nesterov=recipe.nesterov,
            weight_decay=keras_weight_decay(recipe.weight_decay, recipe.momentum),
            **shared,
        )
    kind = keras.optimizers.AdamW if recipe.optimizer == "adamw" else keras.optimizers.Lamb
    return kind(beta_1=recipe.momentum, weight_decay=recipe.weight_decay, **shared)


def num_batches_seen(optimizer: keras.optimizers.Optimizer) -> int:
    """Return the number of batches since the training started.

    `optimizer.iterations` is the number of updates, which is smaller if gradients are accumulated
    or, in float16, if batches are skipped.
    """
    # The first one is that of `LossScaleOptimizer`, and its inner optimizer has another.
    return next(int(v) for v in optimizer.variables if v.name == "iteration")


def keras_weight_decay(weight_decay: float, momentum: float) -> float | None:
    """Return the weight decay of Keras' SGD that equals the L2 penalty of a paper.

    Papers add the penalty to the gradient, so that momentum multiplies it by 1 / (1 - momentum).
    Keras subtracts the weight decay from the weights directly.
    """
    return weight_decay / (1 - momentum) or None
