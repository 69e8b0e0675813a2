"""The optimizer of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..recipes import Recipe
from .schedule import learning_rate_schedule

if TYPE_CHECKING:
    import keras


def build_optimizer(recipe: Recipe, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Return the recipe's optimizer with its learning-rate schedule.

    Args:
        recipe: The training recipe.
        steps_per_epoch: Number of batches per epoch.
    """
    import keras

    shared: dict[str, Any] = {"global_clipnorm": recipe.clip_norm or None}
    return keras.optimizers.SGD(
        learning_rate_schedule(recipe, steps_per_epoch),
        momentum=recipe.momentum,
        weight_decay=keras_weight_decay(recipe.weight_decay, recipe.momentum),
        **shared,
    )


def keras_weight_decay(weight_decay: float, momentum: float) -> float | None:
    """Return the weight decay of Keras' SGD that equals the L2 penalty of a paper.

    Papers add the penalty to the gradient, so that momentum multiplies it by 1 / (1 - momentum).
    Keras subtracts the weight decay from the weights directly.
    """
    return weight_decay / (1 - momentum) or None
