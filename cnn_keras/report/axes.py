"""The style of figures on a page: colors, margins, scales and ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# The colors of the light page; in the SVG each becomes the variable of that name in style.css.
COLORS = {
    "ink": "#1c232d",
    "muted": "#57616e",
    "rule": "#dde1e6",
    "accent": "#1f5f99",
    "warm": "#b04f14",
    "run1": "#1b63ad",
    "run2": "#bd5308",
    "run3": "#0f7d69",
    "run4": "#8547ad",
    "run5": "#bb3669",
    "run6": "#857100",
    "run7": "#4a5462",
    "run8": "#07809d",
}
# Lengths are in points; a point is a unit of the SVG.
WIDTH, HEIGHT = 420.0, 330.0
LEFT, RIGHT, TOP, BOTTOM = 44.0, 10.0, 26.0, 36.0  # margins around the axes
DOT_RADIUS = 2.5
MAX_DOTS = 20  # a longer curve has no dots
STYLE = {
    "font.size": 12.5,
    "figure.frameon": False,
    "figure.subplot.hspace": 0.3,
    "axes.edgecolor": COLORS["muted"],
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.labelcolor": COLORS["muted"],
    "axes.labelsize": "medium",
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "grid.color": COLORS["rule"],
    "grid.linewidth": 1,
    "legend.borderaxespad": 0,
    "legend.borderpad": 0,
    "legend.columnspacing": 1.2,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "legend.handletextpad": 0.4,
    "legend.labelcolor": COLORS["muted"],
    "lines.dotted_pattern": (1, 2.5),
    "lines.linewidth": 2,
    "lines.markeredgewidth": 0,
    "lines.markersize": 2 * DOT_RADIUS,
    "svg.fonttype": "none",
    "text.color": COLORS["muted"],
    "text.parse_math": False,
    "xtick.bottom": False,
    "xtick.labelcolor": COLORS["muted"],
    "ytick.labelcolor": COLORS["muted"],
    "ytick.left": False,
}
_STEPS = (1, 2, 5, 10)  # between ticks, times a power of ten


def new_figure(height: float, right: float) -> Figure:
    """Return an empty figure of a height and right margin, in points."""
    figure = Figure((WIDTH / 72, height / 72), dpi=72)
    figure.subplots_adjust(LEFT / WIDTH, BOTTOM / height, 1 - right / WIDTH, 1 - TOP / height)
    return figure


def write_title(axes: Any, text: str) -> None:
    """Write the title of the vertical axis above its tick labels."""
    axes.patch.set_visible(False)
    axes.annotate(
        text,
        (0, 1),
        (-LEFT, 12),
        color=COLORS["ink"],
        xycoords="axes fraction",
        textcoords="offset points",
    )


def count_epochs(axes: Any) -> None:
    """Label a horizontal axis of epochs with integers."""
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=_STEPS))
    axes.set_xlabel("epoch", labelpad=2)


def set_scale(axes: Any, values: Sequence[float]) -> None:
    """Fit the vertical axis to the finite values of its curves.

    It is logarithmic if all are positive and the largest is more than ten times the smallest.
    """
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low > 0 and high > 10 * low:
        set_log_scale(axes, "y", low / 1.15, high * 1.15, most=5)
        return
    margin = 0.06 * (high - low) or abs(high) / 2 or 1.0
    low, high = (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin
    axes.set(ylim=(low, high), yticks=ticks_between(low, high))


def set_log_scale(axes: Any, name: str, low: float, high: float, most: int) -> None:
    """Make an axis logarithmic, with at most `most` ticks and without powers in their labels."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = _within(ticks, low, high)
        if len(ticks) >= 3:
            break
    else:
        ticks = ticks_between(low, high, 3)
    ticks = ticks[:: math.ceil(len(ticks) / most)]
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high), f"{name}ticks": ticks})
    axes.set(**{f"{name}ticklabels": [f"{tick:g}" for tick in ticks]})
    axes.minorticks_off()


def ticks_between(low: float, high: float, intervals: int = 5) -> list[float]:
    """Return round numbers within a range, with about `intervals` intervals between them."""
    return _within(MaxNLocator(intervals, steps=_STEPS).tick_values(low, high), low, high)


def _within(ticks: Iterable[float], low: float, high: float) -> list[float]:
    return [tick for tick in ticks if low <= tick <= high]
