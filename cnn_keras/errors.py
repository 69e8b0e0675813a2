"""Errors that a user can mend: one line, no traceback.

A message says what happened, what was expected and how to mend it. The command line prints it and
leaves with the error's exit code; a library user catches it like any exception.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Error(Exception):
    """The work failed, or a check refused its result."""

    exit_code = 1


class UsageError(Error, ValueError):
    """The request itself was wrong: a name, an option or an argument."""

    exit_code = 2


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
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean '{close[0]}'?" if close else f"Choose from: {', '.join(names)}."
    return UsageError(f"Unknown {kind} '{name}'. {hint}")
