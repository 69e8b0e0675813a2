"""Options that several commands share, each declared once.

A command inherits the classes whose options it takes; `Command` itself declares `--json`:

    @dataclass(frozen=True, kw_only=True)
    class Evaluate(DataDirOption, Command):
        run: tyro.conf.Positional[Path]
        ...

All fields are keyword-only, so that a command may declare arguments without a default after them.
A command that needs another default or another help text declares the field again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, get_type_hints

import tyro

from .errors import UsageError

NetworkName = Annotated[str, tyro.conf.arg(metavar="NAME")]


@dataclass(frozen=True, kw_only=True)
class NetworkArgument:
    """The network that a command is about."""

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Options of a network's family, for its builder."""

    options: tuple[str, ...] = ()
    """Options of the network's family, for example form=1998 or shortcut=B."""

    def model_options(self) -> dict[str, str]:
        """Return the options by name.

        Raises:
            UsageError: An option has no value.
        """
        return parse_options(self.options)


@dataclass(frozen=True, kw_only=True)
class DataDirOption:
    """Where data sets are."""

    data_dir: Path | None = None
    """Search this folder for the data set first."""


@dataclass(frozen=True, kw_only=True)
class TrainingDataOptions(DataDirOption):
    """The images that a network is trained on."""

    data: str
    """Data set, as `train` names it."""
    train_images: int | None = None
    """Train on this many images, a seeded stratified sample; on all by default."""
    image_size: int | None = None
    """Side of the network's input; the data set's by default."""


SHOWN_DEFAULTS: ContextVar[Mapping[str, str]] = ContextVar(
    "SHOWN_DEFAULTS", default=MappingProxyType({})
)
"""Defaults that help shows for the fields of `RecipeOptions`, by name."""


def _show_recipe_values(options: type[Any]) -> type[Any]:
    """Let help show the values of a recipe for options that are None by default."""
    for name, kind in get_type_hints(options).items():
        hint = tyro.conf.arg(help_behavior_hint=partial(_shown_default, name))
        options.__annotations__[name] = Annotated[kind, hint]
    return options


def _shown_default(name: str, _: str) -> str:
    default = SHOWN_DEFAULTS.get().get(name, "the recipe's own")
    return f"(default: {default})"


@_show_recipe_values
@dataclass(frozen=True, kw_only=True)
class RecipeOptions:
    """Values that replace those of a network's own training recipe."""

    epochs: int | None = None
    """Passes over the training images; the schedule is stretched to them."""
    batch_size: int | None = None
    """Images per step."""
    learning_rate: float | None = None
    """Learning rate before the first milestone, and the maximum of the other schedules."""
    momentum: float | None = None
    """Momentum of the optimizer."""
    weight_decay: float | None = None
    """Coefficient of the L2 penalty."""
    milestones: tuple[float, ...] | None = None
    """Fractions of the training after which the learning rate falls, for example 0.5 0.75."""
    factor: float | None = None
    """Factor of the learning rate at each milestone."""
    shift: float | None = None
    """Largest random shift, as a fraction of the image's width and height; 0 for none."""
    rotation: float | None = None
    """Largest random rotation, in degrees; 0 for none."""
    flip: bool | None = None
    """Mirror images at random; ignored for a known data set whose classes it would change."""
    warmup_steps: int | None = None
    """Steps of the warm-up; 0 for none. There is no warm-up if the learning rate falls before these
    steps are over."""
    warmup_rate: float | None = None
    """Learning rate of the warm-up."""
    schedule: Literal["step", "cosine", "one_cycle"] | None = None
    """How the learning rate changes: it falls at the milestones; along a cosine to 0; or it rises
    to the learning rate for 30 % of the training, then falls along the cosine."""
    linear_warmup: bool | None = None
    """Rise linearly from the warm-up rate to the learning rate, instead of staying at it."""
    label_smoothing: float | None = None
    """Probability that is spread evenly over all classes in the labels, for example 0.1."""
    clip_norm: float | None = None
    """Scale the gradients down to this norm of all of them together; 0 for no limit."""
    optimizer: Literal["sgd", "adamw", "lamb"] | None = None
    """Optimizer; the last two need a much lower learning rate than sgd. The momentum is their
    beta_1."""
    nesterov: bool | None = None
    """Use Nesterov's momentum, with sgd."""
    ema_momentum: float | None = None
    """Evaluate and save the exponential moving average of the weights, with this momentum, for
    example 0.9; 0 for the weights themselves."""
    gradient_accumulation_steps: int | None = None
    """Update the weights once after this many batches, with their mean gradient."""
    random_erasing: float | None = None
    """Probability that a rectangle of an image is filled with random values, for example 0.5."""
    mixup: float | None = None
    """Blend each image and its label with another of the batch; their shares have the distribution
    Beta(alpha, alpha). The value is alpha, for example 0.2; 0 for none."""
    cutmix: float | None = None
    """Paste a rectangle of another image of the batch into each image, and mix their labels by
    area. The value is alpha as in mixup, for example 1; 0 for none. With both options, each image
    is mixed in one of the two ways."""
    rand_augment: float | None = None
    """Magnitude of RandAugment, from 0 to 1, for example 0.3; 0 for none."""
    rand_augment_operations: int | None = None
    """Operations of RandAugment for each image."""
    lighting: float | None = None
    """Add random multiples of the principal components of the training images' colors, with this
    standard deviation, for example 0.1; 0 for none."""
    crop: Literal["none", "alexnet", "vgg", "vgg_256", "vgg_384", "inception", "resnet"] | None = (
        None
    )
    """Random crop of image files, named after the network whose paper describes it."""
    precision: Literal["float32", "bfloat16", "float16"] | None = None
    """Precision in which the layers compute in training; weights, softmax and loss stay in float32,
    and the trained network is evaluated and exported in float32."""

    def recipe_overrides(self) -> dict[str, Any]:
        """Return the values that were given, by the names of the recipe's fields."""
        given = {field.name: getattr(self, field.name) for field in fields(RecipeOptions)}
        return {name: value for name, value in given.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class BaseRecipeOption:
    """The recipe whose values `RecipeOptions` replaces."""

    recipe: Annotated[str, tyro.conf.arg(metavar="paper|modern|fast|FILE.toml")] = "paper"
    """Recipe that the options replace values of: the network's own; one with a cosine schedule,
    Nesterov's momentum, label smoothing and averaged weights; one of 13 epochs with one cycle of
    the learning rate; or a TOML file with the names of the recipe's options as keys, for example
    label_smoothing = 0.1, as recipe.toml in a run folder."""


@dataclass(frozen=True, kw_only=True)
class RecordFolderOption:
    """Where a study writes."""

    out: Path = Path("docs/results")
    """Folder of the record and its figure."""


def parse_options(pairs: Sequence[str]) -> dict[str, str]:
    """Parse `["depth=20", "form=1998"]` into options by name, as `zoo.build` takes them.

    Raises:
        UsageError: An option has no value.
    """
    options: dict[str, str] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"An option is KEY=VALUE, not '{pair}'.")
        options[key] = value
    return options
