"""Figures that a command writes where its user says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from ..command import write_atomic
from ..errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".svg", ".png")


def require_suffix(path: Path | None) -> None:
    """Refuse a path of another format before the work that the figure shows.

    Raises:
        UsageError: Its suffix is not one of `SUFFIXES`.
    """
    if path and path.suffix.lower() not in SUFFIXES:
        raise UsageError(f"A figure is a file {' or '.join(SUFFIXES)}, not {path}.")


def write_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the path's suffix."""
    content = io.BytesIO()
    figure.savefig(content, format=path.suffix.lower().removeprefix("."))
    write_atomic(path, content.getvalue())
