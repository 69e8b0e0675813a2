"""Numbers, counts and lists as text."""

from __future__ import annotations

import re
from collections.abc import Iterable

DASH = "—"  # where there is no value


def or_dash(value: float | None, spec: str) -> str:
    """Format a number, or return a dash for None."""
    return DASH if value is None else format(value, spec)


def signed(value: float, digits: int) -> str:
    """Format a number with a minus sign instead of a hyphen; a rounded zero has no sign.

    Example:
        >>> signed(-0.5, 2), signed(-0.001, 2)
        ('−0.50', '0.00')
    """
    return f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")


def plural(number: int, noun: str) -> str:
    """Return a count with its noun.

    Example:
        >>> plural(1, "thread"), plural(2, "thread")
        ('1 thread', '2 threads')
    """
    return f"{number:,} {noun}{'s' * (number != 1)}"


def enumerate_names(names: Iterable[str]) -> str:
    """Join names as in a sentence.

    Example:
        >>> enumerate_names(["a", "b", "c"])
        'a, b and c'
    """
    *others, last = list(names)
    return f"{', '.join(others)} and {last}" if others else last


def keep_units(text: str) -> str:
    """Put a no-break space between each number and its unit."""
    units = "%|ms|kB|s\\b|MiB|points|threads?|cores?"
    return re.sub(rf"(?<=\d) (?={units})", "\N{NO-BREAK SPACE}", text)
