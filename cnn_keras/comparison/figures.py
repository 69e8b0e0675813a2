"""The curves of the runs of a comparison."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..report.axes import (
    BOTTOM,
    COLORS,
    DOT_RADIUS,
    HEIGHT,
    LEFT,
    MAX_DOTS,
    RIGHT,
    STYLE,
    TOP,
    WIDTH,
    count_epochs,
    set_scale,
    write_title,
)
from .entries import Entry

NUM_COLORS = sum(name.startswith("run") for name in COLORS)
LINES = ("-", "--", ":")  # after each `NUM_COLORS` runs comes the next

_LEGEND_ROW = 20.0  # in points
_MAX_NAME = 48  # characters in the legend


class Panel(NamedTuple):
    """A curve of each run over the epochs.

    Attributes:
        column: Column of history.csv.
        title: What it shows.
        convert: From a value in the column to the one that is shown.
    """

    column: str
    title: str
    convert: Callable[[float], float] = float


def _error(accuracy: float) -> float:
    return 100 * (1 - accuracy)


ERROR = (
    Panel("accuracy", "training error, %", _error),
    Panel("val_accuracy", "validation error, %", _error),
)
LOSS = (Panel("loss", "training loss, nats"), Panel("val_loss", "validation loss, nats"))
SPEED = (Panel("learning_rate", "learning rate"), Panel("images_per_second", "images/s"))


def color(index: int) -> str:
    """Return the name of the color of a run: a key of `COLORS`, and a variable of style.css."""
    return f"run{index % NUM_COLORS + 1}"


def line(index: int) -> str:
    """Return the line style of a run."""
    return LINES[index // NUM_COLORS % len(LINES)]


def has_curve(entry: Entry, panels: Sequence[Panel]) -> bool:
    """Return whether a run has a value for any of the panels."""
    return any(panel.column in row for row in entry.history[:1] for panel in panels)


@mpl.rc_context(STYLE)
def draw_curves(entries: Sequence[Entry], panels: Sequence[Panel]) -> Figure:
    """Draw panels of one figure on a page, one above the other.

    Args:
        entries: The runs; one without epochs has no curve.
        panels: At least one, for which a run has a curve.
    """
    figure = Figure((WIDTH / 72, HEIGHT / 72), dpi=72)
    figure.subplots_adjust(LEFT / WIDTH, BOTTOM / HEIGHT, 1 - RIGHT / WIDTH, 1 - TOP / HEIGHT)
    plots = figure.subplots(len(panels), sharex=True, squeeze=False)
    for axes, panel in zip(plots.flat, panels, strict=True):
        _draw_panel(axes, entries, panel)
    for axes in figure.axes[:-1]:
        axes.spines.bottom.set_visible(False)
    count_epochs(figure.axes[-1])
    return figure


@mpl.rc_context(STYLE | {"figure.subplot.wspace": 0.22})
def draw_overview(entries: Sequence[Entry]) -> Figure:
    """Draw all panels in one figure with a legend, for a document without style.css."""
    pairs = (ERROR, LOSS, SPEED)
    rows = math.ceil(len(entries) / 2)
    width, legend = 2 * WIDTH, _LEGEND_ROW * rows + 8
    height = 0.5 * HEIGHT * len(pairs) + legend
    figure = Figure((width / 72, height / 72), dpi=72)
    left, right, top = LEFT / width, 1 - RIGHT / width, 1 - (TOP + legend) / height
    figure.subplots_adjust(left, BOTTOM / height, right, top, hspace=0.35)
    plots = figure.subplots(len(pairs), 2, sharex=True)
    for row, panels in zip(plots, pairs, strict=True):
        for axes, panel in zip(row, panels, strict=True):
            axes.set_visible(any(has_curve(entry, [panel]) for entry in entries))
            _draw_panel(axes, entries, panel)
    for axes in plots[-1]:
        count_epochs(axes)
    handles = [
        Line2D([], [], color=COLORS[color(index)], linestyle=line(index))
        for index in range(len(entries))
    ]
    names = [entry.name[-_MAX_NAME:] for entry in entries]
    figure.legend(handles, names, loc="upper left", bbox_to_anchor=(left, 1), ncols=2)
    return figure


def _draw_panel(axes: Any, entries: Sequence[Entry], panel: Panel) -> None:
    shown = []
    longest = max((len(entry.history) for entry in entries), default=0) or 1
    for index, entry in enumerate(entries):
        if not has_curve(entry, [panel]):
            continue
        values = [panel.convert(row[panel.column]) for row in entry.history]
        axes.plot(
            [row["epoch"] for row in entry.history],
            values,
            line(index),
            color=COLORS[color(index)],
            marker="o" if len(values) <= MAX_DOTS else None,
            markersize=2 * DOT_RADIUS,
            clip_on=False,
        )
        shown += [value for value in values if math.isfinite(value)]
    axes.set_xlim(0.5, longest + 0.5)
    set_scale(axes, shown)
    write_title(axes, panel.title)
