"""Tables that commands print on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .command import printable


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[object]],
    title: str = "",
    remarks: Sequence[str] = (),
) -> Any:
    """Return a rich table; numbers are right-aligned, integers with thousands separators.

    Args:
        columns: Column headers.
        rows: One cell for each column.
        title: Title above the table.
        remarks: Lines below the table.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    result = Table(*columns, title=escape(title) or None, title_justify="left", box=SIMPLE_HEAD)
    result.caption, result.caption_justify = "\n".join(map(escape, remarks)) or None, "left"
    for index, column in enumerate(result.columns):
        column.overflow = "fold"
        if all(isinstance(row[index], int | float) for row in rows):
            column.justify = "right"
    for row in rows:
        result.add_row(*(f"{cell:,}" if isinstance(cell, int) else escape(cell) for cell in row))
    return result


def escape(value: object) -> str:
    """Return a value as text that rich prints literally: brackets in it are not markup."""
    from rich.markup import escape as escape_markup

    return escape_markup(printable(str(value)))


def significant(value: float) -> str:
    """Format a number with three significant digits, or more if its integer part has more.

    Example:
        >>> [significant(value) for value in (0.02871, 1.3, 10.0, 2801.7)]
        ['0.0287', '1.30', '10.0', '2,802']
    """
    exponent = int(f"{value:.2e}".partition("e")[2])
    return f"{value:,.{max(0, 2 - exponent)}f}"
