"""Checks of the options of studies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..errors import UsageError

if TYPE_CHECKING:
    from ..training.config import Training


def require_unique(**options: Sequence[Any]) -> None:
    """Check that options have one value or more, all of them different.

    Raises:
        UsageError: An option has no value, or one twice.
    """
    for option, values in options.items():
        if not values or len(set(values)) < len(values):
            given = " ".join(map(str, values)) or "none"
            raise UsageError(f"--{option} takes one or more different values, not {given}.")


def require_ascending(**options: Sequence[int]) -> None:
    """Check that options have two numbers or more in ascending order.

    Raises:
        UsageError: An option has fewer numbers, or another order.
    """
    for option, values in options.items():
        if len(values) < 2 or list(values) != sorted(set(values)):
            given = " ".join(map(str, values)) or "none"
            raise UsageError(f"--{option} takes two or more ascending numbers, not {given}.")


def require_paired_seeds(seeds: Sequence[int]) -> None:
    """Check that there are two seeds or more, so that differences have an interval.

    Raises:
        UsageError: There are fewer, one occurs twice, or one is negative.
    """
    if len(seeds) < 2 or len(set(seeds)) < len(seeds) or min(seeds) < 0:
        given = " ".join(map(str, seeds)) or "none"
        raise UsageError(f"--seeds takes two or more different numbers of at least 0, not {given}.")


def require_at_least(minimum: int, **options: int) -> None:
    """Check that options are not too small.

    Raises:
        UsageError: An option is below the minimum.
    """
    for option, value in options.items():
        if value < minimum:
            name = option.replace("_", "-")
            raise UsageError(f"--{name} must be at least {minimum}, not {value}.")


def require_modules(network: str, *families: str) -> None:
    """Check that a network belongs to families whose networks can be cut into modules.

    Raises:
        UsageError: It belongs to another family, or is not in the zoo.
    """
    family = zoo.network(network).builder.partition(":")[0]
    if family not in families:
        known = [name for name, row in zoo.ZOO.items() if row.builder.partition(":")[0] in families]
        raise UsageError(f"{network} has no modules: choose from {', '.join(known)}.")


def require_same_data(trainings: Sequence[Training]) -> None:
    """Check that networks are trained on the same data set.

    Raises:
        UsageError: They are not.
    """
    names = dict.fromkeys(training.data for training in trainings)
    if len(names) > 1:
        raise UsageError(
            f"--networks are trained on {' and '.join(names)}: name networks of one data set, and "
            "give it as --data."
        )


def require_shortcuts(network: str, *families: str) -> None:
    """Check that a network is a residual one of these families.

    Raises:
        UsageError: It is not.
    """
    known = [
        name
        for name, row in zoo.ZOO.items()
        if row.builder.partition(":")[0] in families and row.options["shortcut"] != "none"
    ]
    if network not in known:
        raise UsageError(f"{network} does not suit this study: choose from {', '.join(known)}.")
