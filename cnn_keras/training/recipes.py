"""Training recipes of the papers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, get_args

from ..errors import UsageError, unknown

Schedule = Literal["step", "cosine", "one_cycle"]
Optimizer = Literal["sgd", "adamw", "lamb"]
Crop = Literal["none", "alexnet", "vgg", "vgg_256", "vgg_384", "inception", "resnet"]
Precision = Literal["float32", "bfloat16", "float16"]


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    Attributes:
        learning_rate: Learning rate until the first milestone; the maximum of other schedules.
        momentum: Momentum of the optimizer.
        weight_decay: Coefficient of the L2 penalty's gradient, as in papers and Caffe.
        batch_size: Images per step.
        epochs: Passes over the training images.
        milestones: Fractions of the training after which the learning rate falls.
        factor: Factor of the learning rate at each milestone.
        shift: Largest random shift, as a fraction of the image's side.
        rotation: Largest random rotation, in degrees.
        flip: Whether images are mirrored at random, where the data set allows it.
        warmup_steps: Steps at `warmup_rate` before the schedule; skipped if the first milestone is
            reached earlier.
        warmup_rate: Learning rate of the warm-up.
        schedule: How the learning rate changes, see `optimization.schedule`. Only ``"step"`` has
            milestones, and ``"one_cycle"`` has its own warm-up.
        linear_warmup: Whether the learning rate rises linearly from `warmup_rate` in the warm-up;
            that of ``"cosine"`` always does.
        label_smoothing: Probability that is spread evenly over all classes in the labels.
        clip_norm: Largest norm of all gradients together, to which they are scaled; 0 for none.
        optimizer: `momentum` is beta_1 of ``"adamw"`` and ``"lamb"``, and `weight_decay` is what
            they subtract from the weights, relative to the learning rate.
        nesterov: Whether the momentum of ``"sgd"`` is Nesterov's.
        ema_momentum: Momentum of the exponential moving average of the weights, with which the
            network is evaluated and saved; 0 for none.
        gradient_accumulation_steps: Batches whose mean gradient updates the weights once. The
            learning rate and the warm-up count batches.
        random_erasing: Probability that a rectangle of an image is filled with random values.
        mixup: Alpha of mixup's Beta distribution, see `data.augmentation.Mixing`; 0 for none.
        cutmix: Alpha of CutMix' Beta distribution; 0 for none.
        rand_augment: Magnitude of RandAugment, from 0 to 1; 0 for none.
        rand_augment_operations: Operations of RandAugment for each image.
        lighting: Standard deviation of the random multiples of the principal components that are
            added to the pixels, see `data.augmentation.lighting`; 0 for none.
        crop: Random crop of image files, see `data.augmentation.crops.CROPS`. Data sets of arrays
            have none.
        precision: Precision in which the layers compute. Weights, normalization statistics, softmax
            and loss stay in float32, and ``"float16"`` scales the loss dynamically.

    Raises:
        UsageError: A value is out of range.
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
    schedule: Schedule = "step"
    linear_warmup: bool = False
    label_smoothing: float = 0.0
    clip_norm: float = 0.0
    optimizer: Optimizer = "sgd"
    nesterov: bool = False
    ema_momentum: float = 0.0
    gradient_accumulation_steps: int = 1
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    rand_augment: float = 0.0
    rand_augment_operations: int = 2
    lighting: float = 0.0
    crop: Crop = "none"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        for name in ("learning_rate", "batch_size", "epochs", "factor"):
            if (value := getattr(self, name)) <= 0:
                raise UsageError(f"The {name.replace('_', ' ')} must be above 0, not {value}.")
        if not 0 <= self.momentum < 1:
            raise UsageError(f"The momentum must be from 0 to below 1, not {self.momentum}.")
        if self.weight_decay < 0:
            raise UsageError(f"The weight decay must not be below 0: {self.weight_decay}.")
        milestones = list(self.milestones)
        if milestones != sorted(set(milestones)) or any(not 0 < m < 1 for m in milestones):
            raise UsageError(f"Milestones must rise from above 0 to below 1, not {milestones}.")
        if not 0 <= self.shift < 1:
            raise UsageError(f"The shift must be from 0 to below 1, not {self.shift}.")
        if not 0 <= self.rotation <= 180:
            raise UsageError(f"The rotation must be from 0 to 180: {self.rotation}.")
        if self.warmup_steps < 0:
            raise UsageError(f"Warm-up steps must not be below 0: {self.warmup_steps}.")
        if self.warmup_steps and self.warmup_rate <= 0:
            raise UsageError(f"The warm-up rate must be above 0, not {self.warmup_rate}.")
        if self.schedule not in get_args(Schedule):
            raise unknown("schedule", self.schedule, get_args(Schedule))
        if not 0 <= self.label_smoothing < 1:
            raise UsageError(
                f"The label smoothing must be from 0 to below 1, not {self.label_smoothing}."
            )
        if not 0 <= self.clip_norm < math.inf:
            raise UsageError(f"The clip norm must be 0 or a finite number, not {self.clip_norm}.")
        if self.optimizer not in get_args(Optimizer):
            raise unknown("optimizer", self.optimizer, get_args(Optimizer))
        if self.nesterov and (self.optimizer != "sgd" or not self.momentum):
            raise UsageError(
                "Nesterov's momentum needs the optimizer sgd and a momentum above 0: use "
                "--nesterov False."
            )
        if not 0 <= self.ema_momentum < 1:
            raise UsageError(
                f"The EMA momentum must be from 0 to below 1, not {self.ema_momentum}."
            )
        if self.gradient_accumulation_steps < 1:
            raise UsageError(
                "The gradient accumulation steps must be 1 or more, not "
                f"{self.gradient_accumulation_steps}."
            )
        if not 0 <= self.random_erasing <= 1:
            raise UsageError(
                f"The probability of random erasing must be from 0 to 1, not {self.random_erasing}."
            )
        for name, alpha in (("mixup", self.mixup), ("CutMix", self.cutmix)):
            if not 0 <= alpha < math.inf:
                raise UsageError(f"The alpha of {name} must be 0 or a finite number, not {alpha}.")
        if not 0 <= self.rand_augment <= 1:
            raise UsageError(
                f"The magnitude of RandAugment must be from 0 to 1, not {self.rand_augment}."
            )
        if self.rand_augment_operations < 1:
            raise UsageError(
                "The operations of RandAugment must be 1 or more, not "
                f"{self.rand_augment_operations}."
            )
        if not 0 <= self.lighting < math.inf:
            raise UsageError(f"The lighting must be 0 or a finite number, not {self.lighting}.")
        if self.crop not in get_args(Crop):
            raise unknown("crop", self.crop, get_args(Crop))
        if self.precision not in get_args(Precision):
            raise unknown("precision", self.precision, get_args(Precision))

    @property
    def has_soft_labels(self) -> bool:
        """Whether the labels in training are probabilities rather than class indices."""
        return bool(self.label_smoothing or self.mixup or self.cutmix)

    @property
    def dtype_policy(self) -> str:
        """Name of Keras' dtype policy for the layers."""
        return "float32" if self.precision == "float32" else f"mixed_{self.precision}"

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """Return the recipe of values as `to_dict` returns them, also after JSON.

        Raises:
            UsageError: A value is not allowed.
        """
        return cls(**{**values, "milestones": tuple(values["milestones"])})

    def to_dict(self) -> dict[str, Any]:
        """Return the values by name, without those of `OMITTED` that have their default."""
        return {
            name: value
            for name, value in asdict(self).items()
            if name not in OMITTED or value != OMITTED[name]
        }


_FIRST_KEYS = 12  # fields that every version has stored, up to `warmup_rate`

OMITTED = {field.name: field.default for field in fields(Recipe)[_FIRST_KEYS:]}
"""Defaults that `config.json` omits, so that it has the keys of earlier versions."""


# He et al., arXiv:1512.03385, section 4.2: mini-batch 128, weight decay 1e-4, momentum 0.9, rate
# 0.1 divided by 10 at 32k and 48k of 64k iterations (164 epochs of 391 steps on CIFAR-10), shifts
# by up to 4 of 32 pixels and mirroring.
CIFAR_RESNET = Recipe(0.1, 0.9, 1e-4, 128, 164, (0.5, 0.75), 0.1, shift=4 / 32, flip=True)

# Krizhevsky et al. 2012, section 5: batches of 128, momentum 0.9, weight decay 5e-4, rate 0.01
# divided by 10 three times over about 90 passes "when the validation error stopped improving".
ALEXNET = Recipe(0.01, 0.9, 5e-4, 128, 90, (1 / 3, 2 / 3, 0.9), 0.1, flip=True)

# Szegedy et al., arXiv:1409.4842, section 6: momentum 0.9, rate falling by 4 % every 8 epochs. The
# paper gives neither rate nor length; 0.01, batches of 32, weight decay 2e-4 and 60 passes are
# those of Caffe's `bvlc_googlenet`.
GOOGLENET = Recipe(
    0.01, 0.9, 2e-4, 32, 60, tuple(epoch / 60 for epoch in range(8, 60, 8)), 0.96, flip=True
)

# Lin et al., arXiv:1312.4400, section 4: batches of 128, rate divided by 10 twice; the rest is in
# the authors' release for CIFAR-10 (rate 0.1 for its own initialization, weight decay 1e-4, 230
# passes). 0.01 suits He's initialization, whose gradients are greater.
NIN = Recipe(0.01, 0.9, 1e-4, 128, 230, (0.87, 0.96), 0.1, shift=4 / 32, flip=True)

RECIPES = {
    # LeCun et al. 1998, section III: online gradient descent over 20 passes with a rate that falls
    # in steps, and planar distortions of the digits. Small batches with momentum replace online
    # learning with the paper's diagonal Levenberg-Marquardt rates.
    "lenet5": Recipe(0.05, 0.9, 1e-4, 32, 30, (0.5, 0.8), 0.2, shift=2 / 32, rotation=10.0),
    "alexnet": ALEXNET,
    "nin": NIN,
    # Simonyan and Zisserman, arXiv:1409.1556, section 3.1: batches of 256, momentum 0.9, weight
    # decay 5e-4, rate 0.01 divided by 10 three times over 74 epochs.
    "vgg": Recipe(0.01, 0.9, 5e-4, 256, 74, (0.4, 0.7, 0.9), 0.1, flip=True),
    "googlenet": GOOGLENET,
    # He et al., arXiv:1512.03385, section 3.4: batches of 256, weight decay 1e-4, momentum 0.9,
    # rate 0.1 divided by 10 when the error stops falling, 60e4 iterations; 30, 60 and 90 of 120
    # epochs are where it is divided in most later work.
    "resnet": Recipe(0.1, 0.9, 1e-4, 256, 120, (0.25, 0.5, 0.75), 0.1, flip=True),
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

# What the papers add for image files. Lighting is the change of colors of Krizhevsky et al. 2012,
# section 4.1. Those of VGG (section 3.1) and ResNet (section 3.4) take it over, but not that of
# GoogLeNet (section 6).
IMAGE_FILE_VALUES: dict[str, dict[str, Any]] = {
    "alexnet": {"crop": "alexnet", "lighting": 0.1},
    "vgg": {"crop": "vgg", "lighting": 0.1},
    "googlenet": {"crop": "inception"},
    "resnet": {"crop": "resnet", "lighting": 0.1},
}

# For external models, whose training is unknown. Most of them have shortcuts and batch
# normalization, as ResNet has. Batches of 32 images of 224×224 fit into any machine's memory, and
# the learning rate is proportional to the batch size (Goyal et al., arXiv:1706.02677, section 2.1).
# It is unknown whether a mirrored image keeps its class.
EXTERNAL = replace(RECIPES["resnet"], batch_size=32, learning_rate=0.1 * 32 / 256, flip=False)

# Values of later work, for every network. He et al., "Bag of tricks for image classification",
# arXiv:1812.01187: Nesterov's momentum (section 2.1), cosine and label smoothing of 0.1 (sections
# 5.1 and 5.2). The average of the weights is that of Szegedy et al., arXiv:1512.00567, section 8,
# over few steps, so that it suits short trainings: after a cosine of 624 steps, ResNet-20 on
# Fashion-MNIST is about as accurate with 0.99 (84.4 %) as without an average (84.6 %), and less
# with 0.995 (83.3 %). Without large batches there is no reason for a warm-up (Goyal et al.,
# arXiv:1706.02677, section 2.2).
MODERN: dict[str, Any] = {
    "schedule": "cosine",
    "nesterov": True,
    "label_smoothing": 0.1,
    "ema_momentum": 0.9,
}

# The most that ResNet-20 learns from Fashion-MNIST on two CPU cores in ten minutes: 13 epochs. One
# cycle of the learning rate is Smith and Topin's "super-convergence", arXiv:1708.07120. Weight
# decay of 5e-4 is Zagoruyko and Komodakis' for small images, arXiv:1605.07146, section 3.
FAST: dict[str, Any] = {
    "schedule": "one_cycle",
    "epochs": 13,
    "nesterov": True,
    "weight_decay": 5e-4,
}

NAMED: dict[str, dict[str, Any]] = {"paper": {}, "modern": MODERN, "fast": FAST}
"""What `--recipe` names, and the values that replace those of a network's paper."""

UNUSED: dict[Schedule, tuple[str, ...]] = {
    "step": (),
    "cosine": ("milestones", "factor"),
    "one_cycle": ("milestones", "factor", "warmup_steps", "warmup_rate", "linear_warmup"),
}
"""Fields without effect, by schedule."""


def require_effect(recipe: Recipe, given: Iterable[str]) -> None:
    """Refuse values that a recipe's schedule does not use.

    Args:
        recipe: The recipe.
        given: Names of the fields that a user has given.

    Raises:
        UsageError: One of them has no effect.
    """
    for name in given:
        if name in UNUSED[recipe.schedule]:
            raise UsageError(
                f"The schedule {recipe.schedule} has no --{name.replace('_', '-')}: leave it out, "
                "or add --schedule step."
            )


def recipe(name: str, *, image_files: bool = False) -> Recipe:
    """Return a recipe by name.

    Args:
        name: Key of `RECIPES`.
        image_files: Whether it is for image files, which have the crops and lighting of the paper.

    Raises:
        UsageError: There is no such recipe.
    """
    if name not in RECIPES:
        raise unknown("recipe", name, RECIPES)
    return replace(RECIPES[name], **IMAGE_FILE_VALUES.get(name, {}) if image_files else {})
