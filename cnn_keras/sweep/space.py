"""The values among which a sweep searches, for each field of the recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_type_hints

import numpy as np

from ..errors import UsageError, unknown
from ..training.recipe_file import field_value
from ..training.recipes import Recipe

_DIGITS = 4  # significant ones of a drawn number


@dataclass(frozen=True)
class Choices:
    """A list of values.

    Attributes:
        values: The values, all different.
    """

    values: tuple[Any, ...]

    def draw(self, generator: np.random.Generator) -> Any:
        """Draw one of the values, all with the same probability."""
        return self.values[generator.integers(len(self.values))]


@dataclass(frozen=True)
class Range:
    """An interval of numbers.

    Attributes:
        low: The smallest number.
        high: The largest number.
        log: Whether the logarithm is distributed evenly, instead of the number itself.
        whole: Whether only whole numbers are drawn.
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def draw(self, generator: np.random.Generator) -> float:
        """Draw a number."""
        ends = (self.low, self.high)
        if self.whole:  # each number has the same share of the interval
            ends = (self.low - 0.5, self.high + 0.5)
        if self.log:
            low, high = map(math.log, ends)
            return self.rounded(math.exp(generator.uniform(low, high)))
        return self.rounded(generator.uniform(*ends))

    def rounded(self, number: float) -> float:
        """Return a number as a trial uses it: whole, or with four significant digits.

        Example:
            >>> Range(0.001, 1).rounded(0.0123456), Range(16, 128, whole=True).rounded(31.7)
            (0.01235, 32)
        """
        number = round(number) if self.whole else float(f"{number:.{_DIGITS}g}")
        return min(max(number, self.low), self.high)


Space = Mapping[str, Choices | Range]
"""What to search, by the names of the recipe's fields."""


def parse_space(document: Mapping[str, Any], where: str) -> dict[str, Choices | Range]:
    """Parse the table of the search space.

    Args:
        document: A list of values, or a table with `low`, `high` and perhaps `log`, for each field.
        where: What contains it, for messages.

    Raises:
        UsageError: A key is unknown, or a value is wrong.
    """
    if not document:
        raise UsageError(f"{where} is empty: name values to try, such as learning_rate = [0.1].")
    return {key: _dimension(key, value, where) for key, value in document.items()}


def _dimension(key: str, value: Any, where: str) -> Choices | Range:
    if isinstance(value, dict):
        return _range(key, value, where)
    if not isinstance(value, list) or not value:
        raise UsageError(
            f"{where}: {key} must be a list of values, or a table such as "
            f"{{ low = 0.01, high = 0.1 }}, not {value!r}."
        )
    values = tuple(field_value(key, each, where) for each in value)
    if len(set(values)) < len(values):
        raise UsageError(f"{where}: {key} has a value twice.")
    return Choices(values)


def _range(key: str, table: Mapping[str, Any], where: str) -> Range:
    inside = f"{where}: {key}"
    for name in table:
        if name not in ("low", "high", "log"):
            raise UsageError(f"{inside}: {unknown('key', name, ['low', 'high', 'log'])}")
    kind = get_type_hints(Recipe).get(key, float)
    if kind not in (int, float):
        raise UsageError(f"{inside} has no range: give a list of values.")
    for name in ("low", "high"):
        if name not in table:
            raise UsageError(f"{inside} lacks {name}.")
        field_value(key, table[name], where)
    low, high, log = table["low"], table["high"], table.get("log", False)
    if not isinstance(log, bool):
        raise UsageError(f"{inside}: log must be true or false, not {log!r}.")
    if low >= high:
        raise UsageError(f"{inside}: low must be below high, not {low} and {high}.")
    if log and low <= 0:
        raise UsageError(f"{inside}: low must be above 0 with log = true, not {low}.")
    return Range(low, high, log, whole=kind is int)
