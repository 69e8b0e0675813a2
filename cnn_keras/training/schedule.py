"""The learning-rate schedule, optimizer and losses that a recipe describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..command import log
from .predict import uses_xla
from .recipes import Recipe

if TYPE_CHECKING:
    import keras


def compile_model(
    model: keras.Model,
    recipe: Recipe,
    steps_per_epoch: int,
    loss_weights: Sequence[float] = (1.0,),
) -> None:
    """Compile a model with the recipe's optimizer and a loss for each output.

    Args:
        model: From images to probabilities. The first output is the network's, whose accuracy is
            measured; others are those of auxiliary classifiers.
        recipe: The training recipe.
        steps_per_epoch: Number of batches per epoch.
        loss_weights: Weight of each output's loss in their sum.
    """
    import keras

    optimizer = keras.optimizers.SGD(
        learning_rate_schedule(recipe, steps_per_epoch),
        momentum=recipe.momentum,
        weight_decay=keras_weight_decay(recipe.weight_decay, recipe.momentum),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=False)
    outputs: dict[str, Any] = {"loss": loss, "metrics": ["accuracy"]}
    if len(model.outputs) > 1:
        names = model.output_names
        outputs = {
            "loss": dict.fromkeys(names, loss),
            "loss_weights": dict(zip(names, loss_weights, strict=True)),
            "metrics": {names[0]: ["accuracy"]},
        }
    model.compile(optimizer=optimizer, **outputs, jit_compile=uses_xla())


def learning_rate_schedule(
    recipe: Recipe, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule | float:
    """Return the recipe's learning rate: constant between milestones, with an optional warm-up.

    There is no warm-up if the learning rate falls before it is over.
    """
    import keras

    total = recipe.epochs * steps_per_epoch
    boundaries = [round(total * milestone) for milestone in recipe.milestones]
    rates = [recipe.learning_rate * recipe.factor**i for i in range(len(boundaries) + 1)]
    if recipe.warmup_steps:
        first = boundaries[0] if boundaries else total
        if recipe.warmup_steps < first:
            boundaries.insert(0, recipe.warmup_steps)
            rates.insert(0, recipe.warmup_rate)
        else:
            log(
                f"No warm-up: its {recipe.warmup_steps} steps are not over when the learning rate "
                f"falls, after {first}."
            )
    if not boundaries:
        return recipe.learning_rate
    return keras.optimizers.schedules.PiecewiseConstantDecay(boundaries, rates)


def keras_weight_decay(weight_decay: float, momentum: float) -> float | None:
    """Return the weight decay of Keras' SGD that equals the L2 penalty of a paper.

    Papers add the penalty to the gradient, so that momentum multiplies it by 1 / (1 - momentum).
    Keras subtracts the weight decay from the weights directly.
    """
    return weight_decay / (1 - momentum) or None
