"""The TOML file of a sweep."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, get_args

from ..data.loading.options import Loading
from ..errors import UsageError, unknown
from ..training.config import Training
from ..training.recipe_file import field_value, read_toml
from .space import Choices, Range, parse_space

Objective = Literal["last", "best"]
Method = Literal["grid", "random", "tpe", "qmc"]
Pruner = Literal["median", "hyperband"]

_KEYS = {
    "network": str,
    "data": str,
    "recipe": str,
    "seeds": list,
    "objective": str,
    "options": dict,
    "train_images": int,
    "image_size": int,
    "weights": str,
    "freeze_until": str,
    "class_weights": str,
    "validation_images": int,
    "workers": int,
    "skip_broken": bool,
    "cache": str,
    "values": dict,
    "space": dict,
    "search": dict,
    "pruning": dict,
}
_SEARCH_KEYS = {"method": str, "trials": int, "seed": int, "batch": int}
_PRUNING_KEYS = {"epochs": list, "keep": float, "optuna": str}

_TYPE_NAMES = {
    str: "a string",
    int: "a whole number",
    bool: "true or false",
    float: "a number",
    list: "a list",
    dict: "a table",
}


@dataclass(frozen=True)
class Search:
    """How trials are chosen.

    Attributes:
        method: ``"grid"`` tries all combinations of the values; ``"tpe"`` and ``"qmc"`` are
            samplers of Optuna.
        trials: Number of trials; not for ``"grid"``.
        seed: Seed of the random numbers.
        batch: Number of trials that a sampler of Optuna chooses together.
    """

    method: Method = "grid"
    trials: int = 0
    seed: int = 0
    batch: int = 4

    @property
    def is_optuna(self) -> bool:
        """Whether Optuna chooses the trials."""
        return self.method in ("tpe", "qmc")


@dataclass(frozen=True)
class Pruning:
    """When the worse trials end.

    Attributes:
        epochs: After these epochs.
        keep: Share of the trials that continue, those with the best validation accuracy.
        optuna: Pruner of Optuna that decides instead.
    """

    epochs: tuple[int, ...]
    keep: float = 0.5
    optuna: Pruner | None = None


@dataclass(frozen=True)
class SweepFile:
    """What a sweep searches, and how.

    Attributes:
        training: The training whose recipe the trials change; its seed is replaced.
        seeds: Each trial is trained once with each seed.
        space: What the trials change.
        objective: Whether the validation accuracy of the last or of the best epoch counts.
        search: How trials are chosen.
        pruning: When the worse trials end; None trains all to the end.
        loading: How image files are loaded.
    """

    training: Training
    seeds: tuple[int, ...]
    space: Mapping[str, Choices | Range]
    objective: Objective
    search: Search
    pruning: Pruning | None
    loading: Loading

    def trainings(self, values: Mapping[str, Any]) -> list[Training]:
        """Return the trainings of a trial, one for each seed.

        Args:
            values: The values of the trial, by the names of the recipe's fields.

        Raises:
            UsageError: The values are not allowed together.
        """
        recipe = replace(self.training.recipe, **values)
        return [replace(self.training, recipe=recipe, seed=seed) for seed in self.seeds]


def read_sweep(path: Path) -> SweepFile:
    """Read the TOML file of a sweep.

    Raises:
        UsageError: A key is unknown or missing, or a value is wrong.
        Error: The file cannot be read, or is not TOML.
    """
    document = read_toml(path, "sweep")
    _check(document, _KEYS, str(path))
    for key in ("network", "data", "space"):
        if key not in document:
            raise UsageError(f"{path} lacks {key}.")
    space = parse_space(document["space"], f"{path}: space")
    values = {
        key: field_value(key, value, f"{path}: values")
        for key, value in document.get("values", {}).items()
    }
    if both := sorted(values.keys() & space.keys()):
        raise UsageError(f"{path}: {both[0]} is both in values and in space.")
    training = _training(document, values, path)
    search = _search(document.get("search", {}), space, path)
    last_epoch = math.inf if "epochs" in space else training.recipe.epochs
    return SweepFile(
        training,
        _seeds(document.get("seeds", [0]), path),
        space,
        _one_of(Objective, document.get("objective", "last"), "objective", path),
        search,
        _pruning(document["pruning"], search, last_epoch, path) if "pruning" in document else None,
        _loading(document, path),
    )


def _training(document: Mapping[str, Any], values: dict[str, Any], path: Path) -> Training:
    optional = (
        "train_images",
        "image_size",
        "freeze_until",
        "class_weights",
        "validation_images",
    )
    try:
        return Training.of(
            document["network"],
            document["data"],
            recipe=values,
            base_recipe=document.get("recipe", "paper"),
            options=document.get("options"),
            weights=Path(document["weights"]) if "weights" in document else None,
            **{key: document[key] for key in optional if key in document},
        )
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _loading(document: Mapping[str, Any], path: Path) -> Loading:
    try:
        return Loading(
            document.get("workers", 0),
            document.get("skip_broken", False),
            Path(document["cache"]) if "cache" in document else None,
        )
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from error


def _seeds(seeds: Sequence[Any], path: Path) -> tuple[int, ...]:
    valid = all(type(seed) is int and seed >= 0 for seed in seeds)
    if not seeds or not valid or len(set(seeds)) < len(seeds):
        raise UsageError(f"{path}: seeds must be different whole numbers of at least 0: {seeds}.")
    return tuple(seeds)


def _search(
    document: Mapping[str, Any], space: Mapping[str, Choices | Range], path: Path
) -> Search:
    where = f"{path}: search"
    _check(document, _SEARCH_KEYS, where)
    method: Method = _one_of(Method, document.get("method", "grid"), "method", where)
    if method == "grid":
        if "trials" in document:
            raise UsageError(f"{where}: a grid tries all values: leave out trials.")
        for key, dimension in space.items():
            if isinstance(dimension, Range):
                raise UsageError(
                    f"{path}: space: {key} is a range, which a grid does not have: give a list of "
                    'values, or method = "random" in search.'
                )
    elif document.get("trials", 0) < 1:
        raise UsageError(f"{where}: trials must be 1 or more.")
    search = Search(**document)
    if search.seed < 0:
        raise UsageError(f"{where}: seed must be 0 or more, not {search.seed}.")
    if search.batch < 1:
        raise UsageError(f"{where}: batch must be 1 or more, not {search.batch}.")
    if "batch" in document and not search.is_optuna:
        raise UsageError(f"{where}: batch is for Optuna's methods, tpe and qmc: leave it out.")
    return search


def _pruning(document: Mapping[str, Any], search: Search, last_epoch: float, path: Path) -> Pruning:
    """Parse the table of the pruning.

    Args:
        document: The table.
        search: How trials are chosen.
        last_epoch: The last epoch of the longest training.
        path: The file.
    """
    where = f"{path}: pruning"
    _check(document, _PRUNING_KEYS, where)
    epochs = document.get("epochs", [])
    valid = all(type(epoch) is int and 0 < epoch < last_epoch for epoch in epochs)
    if not epochs or not valid or sorted(set(epochs)) != epochs:
        raise UsageError(
            f"{where}: epochs must be rising whole numbers, from 1 to before the last epoch, "
            f"not {epochs}."
        )
    pruning = Pruning(**{**document, "epochs": tuple(epochs)})
    if not 0 < pruning.keep < 1:
        raise UsageError(f"{where}: keep must be between 0 and 1, not {pruning.keep}.")
    if pruning.optuna is not None:
        _one_of(Pruner, pruning.optuna, "pruner of Optuna", where)
        if not search.is_optuna:
            raise UsageError(f'{where}: optuna needs method = "tpe" or "qmc" in search.')
        if "keep" in document:
            raise UsageError(f"{where}: optuna decides what is kept: leave out keep.")
    return pruning


def _check(document: Mapping[str, Any], kinds: Mapping[str, type], where: str) -> None:
    """Refuse unknown keys and values of another type.

    Raises:
        UsageError: There is one.
    """
    for key, value in document.items():
        if key not in kinds:
            raise UsageError(f"{where}: {unknown('key', key, kinds)}")
        kind = kinds[key]
        allowed = (int, float) if kind is float else (kind,)
        if type(value) not in allowed:  # `True` is an `int` for `isinstance`
            raise UsageError(f"{where}: {key} must be {_TYPE_NAMES[kind]}, not {value!r}.")


def _one_of(kind: Any, value: str, name: str, where: object) -> Any:
    if value not in get_args(kind):
        raise UsageError(f"{where}: {unknown(name, value, get_args(kind))}")
    return value
