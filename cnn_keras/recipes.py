"""Training recipes as the papers state them: pure data."""

from __future__ import annotations

from dataclasses import dataclass

from .errors import unknown


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: stochastic gradient descent with a step schedule.

    Attributes:
        learning_rate: Rate until the first milestone.
        momentum: Of the gradient.
        weight_decay: Coefficient of the L2 penalty's gradient, as papers and Caffe give it.
        batch_size: Images a step.
        epochs: Passes over the training images.
        milestones: Fractions of the training after which the rate falls.
        factor: What the rate is multiplied with at a milestone.
        shift: Largest random shift, as a fraction of the image's side.
        rotation: Largest random rotation, in degrees.
        flip: Whether images are mirrored at random, where the data set allows it.
        warmup_steps: Steps at `warmup_rate` before the schedule's own rate; left out of a training
            whose first milestone comes sooner.
        warmup_rate: Learning rate of the warm-up.
    """

    learning_rate: float
    momentum: float
    weight_decay: float
    batch_size: int
    epochs: int
    milestones: tuple[float, ...]
    factor: float
    shift: float = 0.0
    rotation: float = 0.0
    flip: bool = False
    warmup_steps: int = 0
    warmup_rate: float = 0.0


# He et al., arXiv:1512.03385, section 4.2: mini-batch 128, weight decay 1e-4, momentum 0.9, rate
# 0.1 divided by 10 at 32k and 48k of 64k iterations (164 epochs of 391 steps on CIFAR-10), shifts
# by up to 4 of 32 pixels and mirroring.
CIFAR_RESNET = Recipe(0.1, 0.9, 1e-4, 128, 164, (0.5, 0.75), 0.1, shift=4 / 32, flip=True)

RECIPES = {
    # LeCun et al. 1998, section III: online gradient descent over 20 passes with a rate that falls
    # in steps, and planar distortions of the digits. Small batches with momentum stand in for
    # online learning with the paper's diagonal Levenberg-Marquardt rates.
    "lenet5": Recipe(0.05, 0.9, 1e-4, 32, 30, (0.5, 0.8), 0.2, shift=2 / 32, rotation=10.0),
    "cifar_resnet": CIFAR_RESNET,
    # The same, with 0.01 for about 400 iterations: 0.1 is "slightly too large" for 110 layers.
    "cifar_resnet110": Recipe(
        0.1,
        0.9,
        1e-4,
        128,
        164,
        (0.5, 0.75),
        0.1,
        shift=4 / 32,
        flip=True,
        warmup_steps=400,
        warmup_rate=0.01,
    ),
}


def recipe(name: str) -> Recipe:
    """Return a recipe by name.

    Raises:
        UsageError: There is no such recipe.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return RECIPES[name]
