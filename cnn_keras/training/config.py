"""What to train, on what data and how: the content of a run's `config.json`."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any

from .. import zoo
from ..data.datasets import absolute_name, has_image_files
from ..data.sources import SOURCES
from ..errors import UsageError, unknown
from ..trained.table import is_name
from . import recipes
from .fine_tuning import pretrained_options
from .recipe_file import named_recipe
from .recipes import Recipe


@dataclass(frozen=True)
class Training:
    """What to train, on what data and how.

    Attributes:
        network: Name in the zoo.
        data: Name of the data set; a folder with its absolute path.
        recipe: The network's own recipe, with the values that replace its own.
        seed: Seed of the initial weights, the order of the images and their augmentation.
        options: Options of the network's family.
        train_images: Number of training images, a seeded stratified sample; all by default.
        image_size: Side of the square input; by default see `preparation.training_data`.
        weights: Pretrained weights: the absolute path of a file or a run folder, or the name of a
            trained network.
        freeze_until: Row of the network up to and including which the pretrained weights are
            frozen.
        class_weights: ``"balanced"`` weights the loss by inverse class frequency.
        validation_images: Number of training images of a named data set that are held out for
            validation; by default that of `data.sources.SOURCES`.

    Raises:
        UsageError: A value is out of range or unknown, or rows are frozen without pretrained
            weights.
    """

    network: str
    data: str
    recipe: Recipe
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    train_images: int | None = None
    image_size: int | None = None
    weights: str | None = None
    freeze_until: str | None = None
    class_weights: str | None = None
    validation_images: int | None = None

    def __post_init__(self) -> None:
        for name in ("train_images", "image_size"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise UsageError(f"The {name.replace('_', ' ')} must be above 0, not {value}.")
        if self.seed < 0:
            raise UsageError(f"The seed must not be below 0: {self.seed}.")
        if self.freeze_until is not None and self.weights is None:
            raise UsageError("Only pretrained weights can be frozen: name them with --weights.")
        if self.class_weights not in (None, "balanced"):
            raise unknown("class weights", self.class_weights, ["balanced"])
        if self.validation_images is not None:
            self._check_validation_images(self.validation_images)
        if self.recipe.crop != "none" and not has_image_files(self.data):
            raise UsageError(
                f"Only image files are cropped, and {self.data} has arrays: use --shift, or "
                "--crop none."
            )

    def _check_validation_images(self, count: int) -> None:
        if self.data not in SOURCES:
            raise UsageError(
                f"The number of validation images can be chosen for {', '.join(SOURCES)}, "
                f"not for {self.data}."
            )
        num_classes = len(SOURCES[self.data].classes)
        if count < num_classes:
            raise UsageError(
                f"{self.data} needs at least {num_classes} validation images, one of each class, "
                f"not {count}."
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the content of `config.json`; see `Recipe.to_dict`."""
        return asdict(self) | {"recipe": self.recipe.to_dict()}

    @classmethod
    def of(
        cls,
        network: str,
        data: str,
        *,
        recipe: dict[str, Any],
        base_recipe: str = "paper",
        options: dict[str, Any] | None = None,
        weights: Path | None = None,
        **others: Any,
    ) -> Training:
        """Return the training of a network by a recipe.

        Args:
            network: Name in the zoo.
            data: Name of the data set, see `datasets.load`.
            recipe: Values that replace those of the base recipe; None replaces nothing.
            base_recipe: Name of the recipe, see `recipe_file.named_recipe`.
            options: Options of the network's family; by default those of the run whose weights are
                given.
            weights: Pretrained weights.
            others: The other attributes.

        Raises:
            UsageError: The network, data set or recipe is unknown, the weights are of another
                network, or a value is out of range or has no effect.
            Error: The file of the recipe cannot be read.
        """
        values = {name: value for name, value in recipe.items() if value is not None}
        options = options or {}
        if weights is not None:
            weights = weights if is_name(weights) else weights.expanduser().resolve()
            options = pretrained_options(weights, network) | options
        data = absolute_name(data)
        paper = recipes.recipe(zoo.network(network).recipe, image_files=has_image_files(data))
        base = named_recipe(base_recipe, paper)
        complete = replace(base, **values)
        recipes.require_effect(complete, values)
        return cls(
            network,
            data,
            complete,
            options=options,
            weights=None if weights is None else str(weights),
            **others,
        )


def public_config(config: dict[str, Any]) -> dict[str, Any]:
    """Return the content of a run's `config.json` without the folders of its machine.

    Example:
        >>> public_config({"data": "csv:/home/ada/list.csv", "weights": "/home/ada/runs/first"})
        {'data': 'csv:list.csv', 'weights': 'first'}
    """
    kind, _, path = config["data"].partition(":")
    changed = {}
    if kind in ("folder", "csv", "npz"):
        changed["data"] = f"{kind}:{PurePath(path).name}"
    if config.get("weights") is not None:
        changed["weights"] = PurePath(config["weights"]).name
    return config | changed
