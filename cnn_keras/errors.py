"""Errors that a user can mend: one line, no traceback.

A message says what happened, what was expected and how to mend it. The command line prints it and
leaves with the error's exit code; a library user catches it like any exception.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from itertools import takewhile


class Error(Exception):
    """The work failed, or a check refused its result."""

    exit_code = 1


class UsageError(Error, ValueError):
    """The request itself was wrong: a name, an option or an argument."""

    exit_code = 2


def first_line(error: Exception) -> str:
    r"""Return the first line of what a library says of its failure, or what the failure is.

    Example:
        >>> first_line(ValueError("no such file\nmore about it")), first_line(KeyError())
        ('no such file', 'KeyError()')
    """
    return (str(error).strip() or repr(error)).splitlines()[0]


def unknown(kind: str, name: str, known: Iterable[str]) -> UsageError:
    """Return the error for a name that is not in a table.

    Args:
        kind: What the name should have been, for example ``"network"``.
        name: What was asked for.
        known: The names that exist.

    Example:
        >>> str(unknown("network", "resnet21", ["resnet20", "plain20"]))
        "Unknown network 'resnet21'. Did you mean 'resnet20'?"
    """

    def closeness(other: str) -> tuple[float, int]:
        # Of equally close names the one that begins alike for longest: resnet51 is like resnet50.
        ratio = difflib.SequenceMatcher(None, name, other).ratio()
        pairs = zip(name, other, strict=False)
        return ratio, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

    names = list(known)
    nearest = max(names, key=closeness, default="")
    near = closeness(nearest)[0] >= 0.6
    hint = f"Did you mean '{nearest}'?" if near else f"Choose from: {', '.join(names)}."
    return UsageError(f"Unknown {kind} '{name}'. {hint}")
