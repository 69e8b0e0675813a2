"""The learning-rate schedule of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...command import log
from ..recipes import Recipe

if TYPE_CHECKING:
    import keras

# Of one_cycle: fastai's defaults for the policy of Smith and Topin, arXiv:1708.07120, section 3,
# which torch.optim.lr_scheduler.OneCycleLR has, too.
_RISE = 0.3  # fraction of the training in which the learning rate rises
_INITIAL = 1 / 25  # initial learning rate, relative to the maximum
_FINAL = _INITIAL / 1e4


def learning_rate_schedule(
    recipe: Recipe, steps_per_epoch: int
) -> keras.optimizers.schedules.LearningRateSchedule | float:
    """Return the recipe's learning rate as a function of the step, counted from 0.

    - ``"step"`` is constant between the milestones.
    - ``"cosine"`` falls to 0 along half a period of a cosine.
    - ``"one_cycle"`` rises linearly for 30 % of the steps and then falls along the cosine.

    A warm-up comes before the first two: the step schedule stays at the warm-up's rate, unless the
    warm-up is linear; the cosine always rises linearly. There is no warm-up if the schedule ends,
    or its learning rate falls, before the warm-up is over.

    Reference:
        Loshchilov and Hutter, "SGDR", arXiv:1608.03983, equation 5, without restarts.
        Smith and Topin, "Super-convergence", arXiv:1708.07120, section 3.
    """
    import keras

    schedules = keras.optimizers.schedules
    total = recipe.epochs * steps_per_epoch
    peak = recipe.learning_rate
    if recipe.schedule == "one_cycle":
        rise = round(_RISE * total)
        return schedules.CosineDecay(
            _INITIAL * peak, total - rise, _FINAL, warmup_target=peak, warmup_steps=rise
        )
    warmup_steps = _warmup_steps(recipe, total)
    if recipe.schedule == "cosine":
        if not warmup_steps:
            return schedules.CosineDecay(peak, total)
        return schedules.CosineDecay(
            recipe.warmup_rate,
            total - warmup_steps,
            warmup_target=peak,
            warmup_steps=warmup_steps,
        )
    boundaries = [round(total * milestone) for milestone in recipe.milestones]
    rates = [peak * recipe.factor**i for i in range(len(boundaries) + 1)]
    is_linear = warmup_steps > 0 and recipe.linear_warmup
    if warmup_steps:  # a boundary belongs to the rate before it, except that of a linear warm-up
        boundaries.insert(0, warmup_steps - is_linear)
        rates.insert(0, recipe.warmup_rate)
    if not boundaries:
        return peak
    constant = schedules.PiecewiseConstantDecay(boundaries, rates)
    if not is_linear:
        return constant
    from .warmup import LinearWarmup

    return LinearWarmup(constant, warmup_steps, recipe.warmup_rate, peak)


def _warmup_steps(recipe: Recipe, total: int) -> int:
    """Return the steps of the warm-up: 0 if they are not over when the learning rate falls."""
    falls = recipe.schedule == "step" and recipe.milestones
    first = round(total * recipe.milestones[0]) if falls else total
    if recipe.warmup_steps < max(first, 1):
        return recipe.warmup_steps
    log(
        f"No warm-up: its {recipe.warmup_steps} steps are not over when the learning rate "
        f"falls, after {first}."
    )
    return 0
