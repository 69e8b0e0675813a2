"""The recipe that `--recipe` names: one of `recipes.NAMED`, or that of a TOML file."""

from __future__ import annotations

import math
import tomllib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from ..errors import Error, UsageError, unknown
from .recipes import NAMED, Recipe


def named_recipe(name: str, paper: Recipe) -> Recipe:
    """Return a recipe for a network.

    Args:
        name: Key of `recipes.NAMED`, or the path of a TOML file with fields of `Recipe`.
        paper: The network's own recipe, which has the values that the other does not name.

    Raises:
        UsageError: There is no such recipe, or the file has an unknown key or a wrong value.
        Error: The file cannot be read, or is not TOML.
    """
    values = named_values(name)
    try:
        return replace(paper, **values)
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from error


def named_values(name: str) -> dict[str, Any]:
    """Return the values that a recipe names, by the names of the recipe's fields.

    Args:
        name: See `named_recipe`.

    Raises:
        UsageError: There is no such recipe, or the file has an unknown key or a wrong value.
        Error: The file cannot be read, or is not TOML.
    """
    if name in NAMED:
        return NAMED[name]
    if not name.endswith(".toml"):
        known = ", ".join(NAMED)
        raise UsageError(f"Unknown recipe '{name}': expected {known} or a .toml file.")
    return read_recipe_values(Path(name))


def recipe_toml(recipe: Recipe) -> str:
    """Return a recipe in full as a TOML file, from which `named_recipe` reads it again."""
    return "".join(f"{key} = {_toml(value)}\n" for key, value in asdict(recipe).items())


def shown_values(recipe: Recipe) -> dict[str, str]:
    """Return the values of a recipe as a command line has them, floats with four digits.

    Example:
        >>> from cnn_keras.training.recipes import CIFAR_RESNET
        >>> shown_values(CIFAR_RESNET)["milestones"]
        '0.5 0.75'
    """
    shown = {}
    for name, value in asdict(recipe).items():
        values = value if isinstance(value, tuple) else (value,)
        shown[name] = " ".join(f"{v:.4g}" if isinstance(v, float) else str(v) for v in values)
    return shown


def read_recipe_values(path: Path) -> dict[str, Any]:
    """Read the values in a TOML file by the names of a recipe's fields.

    Raises:
        UsageError: A key is not a field, or a value has another type.
        Error: The file cannot be read, or is not TOML.
    """
    document = read_toml(path, "recipe")
    return {key: field_value(key, value, str(path)) for key, value in document.items()}


def read_toml(path: Path, content: str) -> dict[str, Any]:
    """Read a TOML file.

    Args:
        path: The file.
        content: What it contains, for messages.

    Raises:
        Error: The file cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise Error(f"The {content} {path} cannot be read: {error.strerror}.") from error
    except ValueError as error:  # of TOML or UTF-8
        raise Error(f"{path} is not valid TOML: {error}.") from error


def field_value(key: str, value: Any, where: str) -> Any:
    """Return the value of a recipe's field from a TOML document, with its type.

    Args:
        key: Name of the field.
        value: The value.
        where: What contains it, for messages.

    Raises:
        UsageError: There is no such field, or the value has another type.
    """
    kinds = get_type_hints(Recipe)
    if key not in kinds:
        raise UsageError(f"{where}: {unknown('key', key, kinds)}")
    if not _has_type(value, kinds[key]):
        raise UsageError(f"{where}: {key} must be {_description(kinds[key])}, not {_toml(value)}.")
    if isinstance(value, list):
        return tuple(map(float, value))
    return float(value) if kinds[key] is float else value  # Keras refuses integers


def _has_type(value: Any, kind: Any) -> bool:
    """Return whether a value of a TOML file has the type of a field."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list) and all(_has_type(each, float) for each in value)
    if kind is float:  # TOML has inf and nan, and integers for whole numbers
        return type(value) in (int, float) and math.isfinite(value)
    return type(value) is kind  # `True` is an `int` for `isinstance`


def _description(kind: Any) -> str:
    """Describe the type of a field."""
    if get_origin(kind) is Literal:
        return " or ".join(f"'{name}'" for name in get_args(kind))
    names = {float: "a finite number", int: "a whole number", bool: "true or false"}
    return names.get(kind, "a list of finite numbers")


def _toml(value: Any) -> str:
    """Return a value as TOML spells it."""
    if isinstance(value, tuple):
        return repr(list(value))
    return str(value).lower() if isinstance(value, bool) else repr(value)
