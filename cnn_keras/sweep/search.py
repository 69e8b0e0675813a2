"""How the trials of a sweep are chosen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Protocol

import numpy as np

from .space import Choices, Space
from .trials import Trial

Values = Mapping[str, Any]
"""The values of a trial, by the names of the recipe's fields."""

_MAX_DRAWS = 100  # for each trial, so that a small space does not take forever


class Strategy(Protocol):
    """Chooses trials, perhaps by the results of earlier ones.

    It is deterministic: a sweep that resumes chooses the same trials.
    """

    def propose(self) -> Sequence[Values]:
        """Return the next trials, which are trained together; none at the end."""
        ...

    def report(self, trials: Sequence[Trial]) -> None:
        """Learn the results of the trials of a proposal."""
        ...


class Listed:
    """Proposes all trials at once.

    Args:
        trials: The trials.
    """

    def __init__(self, trials: Sequence[Values]) -> None:
        self._trials = trials

    def propose(self) -> Sequence[Values]:
        """Return all trials, then none."""
        proposed, self._trials = self._trials, []
        return proposed

    def report(self, trials: Sequence[Trial]) -> None:
        """Ignore the results."""


def grid(space: Space) -> list[Values]:
    """Return all combinations of the values; the last field changes fastest.

    Example:
        >>> grid({"momentum": Choices((0.0, 0.9)), "flip": Choices((True,))})
        [{'momentum': 0.0, 'flip': True}, {'momentum': 0.9, 'flip': True}]
    """
    lists = [each.values for each in space.values() if isinstance(each, Choices)]
    return [dict(zip(space, values, strict=True)) for values in product(*lists)]


def random(space: Space, trials: int, seed: int) -> list[Values]:
    """Draw different combinations; fewer than `trials` if the space has no more."""
    generator = np.random.default_rng(seed)
    drawn: dict[str, Values] = {}
    for _ in range(_MAX_DRAWS * trials):
        values = {key: dimension.draw(generator) for key, dimension in space.items()}
        drawn.setdefault(repr(values), values)
        if len(drawn) == trials:
            break
    return list(drawn.values())
