"""Figures of the report as SVG that takes its font and colors from the page around it."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

# The colors of the light page; in the SVG each becomes the variable of that name in style.css.
COLORS = {
    "ink": "#1c232d",
    "muted": "#57616e",
    "rule": "#dde1e6",
    "accent": "#1f5f99",
    "warm": "#b04f14",
}
# Lengths are in points; a point is a unit of the SVG.
_WIDTH, _HEIGHT = 420.0, 330.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 44.0, 10.0, 26.0, 36.0  # margins around the axes
_DOT_RADIUS = 2.5
_MAX_DOTS = 20  # a longer curve has no dots
_BUBBLE_RADIUS = 22.0  # of the largest file
_LABEL_WIDTH = 182.0
_LABEL_STEP = 38.0  # a label has two lines
_STYLE = {
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
    "lines.markersize": 2 * _DOT_RADIUS,
    "svg.fonttype": "none",
    "text.color": COLORS["muted"],
    "text.parse_math": False,
    "xtick.bottom": False,
    "xtick.labelcolor": COLORS["muted"],
    "ytick.labelcolor": COLORS["muted"],
    "ytick.left": False,
}
_STEPS = (1, 2, 5, 10)  # between ticks, times a power of ten
_NAMESPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


class Bubble(NamedTuple):
    """One file in the chart of accuracy, latency and size.

    Attributes:
        name: First line of its label.
        detail: Second line of its label.
        latency_ms: Horizontal position, on a logarithmic axis.
        accuracy: Vertical position, in percent.
        size_bytes: Proportional to the area.
    """

    name: str
    detail: str
    latency_ms: float
    accuracy: float
    size_bytes: float


def learning_rate_changes(history: Sequence[dict[str, float]]) -> list[tuple[float, float]]:
    """Return the changes of the learning rate: the position between two epochs, and the new rate.

    Example:
        >>> learning_rate_changes([{"epoch": e, "learning_rate": 0.1 / e} for e in (1, 2)])
        [(1.5, 0.05)]
    """
    return [
        (row["epoch"] - 0.5, row["learning_rate"])
        for before, row in pairwise(history)
        if not math.isclose(row["learning_rate"], before["learning_rate"])
    ]


@mpl.rc_context(_STYLE)
def draw_training(history: Sequence[dict[str, float]]) -> Figure:
    """Draw error and loss of the training and validation images over the epochs.

    An axis is logarithmic if its values are positive and the largest is more than ten times the
    smallest.

    Args:
        history: At least one row of `history.csv`.
    """
    epochs = [row["epoch"] for row in history]
    figure = _figure(_HEIGHT, _RIGHT)
    error, loss = figure.subplots(2, sharex=True)
    for axes, metric in ((error, "accuracy"), (loss, "loss")):
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        curves = {name: [row[name] for row in history] for name in (metric, f"val_{metric}")}
        if metric == "accuracy":
            curves = {name: [100 * (1 - x) for x in values] for name, values in curves.items()}
        for values, label, color, style in zip(
            curves.values(), ("train", "validation"), ("warm", "accent"), ("--", "-"), strict=True
        ):
            marker = "o" if len(epochs) <= _MAX_DOTS else None
            axes.plot(
                epochs,
                values,
                style,
                color=COLORS[color],
                label=label,
                marker=marker,
                clip_on=False,
            )
        _scale(axes, [x for values in curves.values() for x in values if math.isfinite(x)])
    _title(error, "error, %")
    _title(loss, "loss, nats")
    error.legend(loc="lower right", bbox_to_anchor=(1, 1.06), ncols=2)
    error.spines.bottom.set_visible(False)
    loss.xaxis.set_major_locator(MaxNLocator(8, integer=True, min_n_ticks=1, steps=_STEPS))
    loss.set_xlabel("epoch", labelpad=2)
    _mark_learning_rates((error, loss), history)
    return figure


@mpl.rc_context(_STYLE)
def draw_files(files: Sequence[Bubble], reference: float) -> Figure:
    """Draw accuracy over latency with the file sizes as areas.

    The labels stand in a column at the right, connected to their files, so that none overlap.

    Args:
        files: At least one.
        reference: Accuracy of the Keras model, in percent; drawn as a dotted line.
    """
    height = max(_HEIGHT, _TOP + _BOTTOM + _LABEL_STEP * len(files))
    figure = _figure(height, _LABEL_WIDTH)
    axes = figure.subplots()
    _title(axes, "top-1, %")
    axes.set_xlabel("p50 latency, ms", labelpad=2)

    accuracies = [reference, *(file.accuracy for file in files)]
    margin = max(0.25 * (max(accuracies) - min(accuracies)), 0.5)
    low, high = min(accuracies) - margin, max(accuracies) + margin
    axes.set_ylim(low, high)
    axes.set_yticks(_ticks(low, min(high, 100.0)))
    # At both ends the axis leaves room for the largest bubble.
    latencies = [file.latency_ms for file in files]
    width = _WIDTH - _LEFT - _LABEL_WIDTH
    center = math.sqrt(min(latencies) * max(latencies))
    reach = max(math.sqrt(max(latencies) / min(latencies)), 1.5)
    reach **= width / (width - 2 * _BUBBLE_RADIUS - 8)
    _scale_log(axes, "x", center / reach, center * reach, most=4)

    largest = max(file.size_bytes for file in files)
    axes.axhline(reference, color=COLORS["muted"], linestyle=":", linewidth=1)
    axes.scatter(
        latencies,
        accuracies[1:],
        [(2 * _BUBBLE_RADIUS) ** 2 * file.size_bytes / largest for file in files],
        facecolors=[(*mpl.colors.to_rgb(COLORS["accent"]), 0.28)],
        edgecolors=COLORS["accent"],
        linewidths=1.5,
        clip_on=False,
    )
    axes.plot(latencies, accuracies[1:], "o", color=COLORS["accent"], clip_on=False)
    _label(axes, height, files)
    return figure


def to_svg(figure: Figure, description: str) -> str:
    """Return a figure as one `svg` element without ids, links, fonts or fixed colors.

    Args:
        figure: A figure whose markers are circles.
        description: What it shows, for screen readers.
    """
    with mpl.rc_context(_STYLE):
        written = io.StringIO()
        figure.savefig(written, format="svg")
    source = ET.fromstring(written.getvalue())
    radii = {}  # of the markers, by reference
    svg = ET.Element(
        "svg", {"viewBox": source.attrib["viewBox"], "role": "img", "aria-label": description}
    )
    for element in source.iter():
        style = {"style": _with_variables(element.get("style", ""))}
        position = {key: _rounded(element.get(key, "")) for key in ("x", "y")}
        outline = _rounded(element.get("d", ""))
        match element.tag.removeprefix(_NAMESPACE):
            case "text":
                ET.SubElement(svg, "text", position | style).text = element.text
            case "path" if "id" in element.attrib:  # a marker; it starts at (0, radius)
                radii[f"#{element.attrib['id']}"] = outline.split()[2]
            case "path":
                ET.SubElement(svg, "path", {"d": outline} | style)
            case "use":
                radius = radii[element.attrib[_LINK]]
                center = {"cx": position["x"], "cy": position["y"]}
                ET.SubElement(svg, "circle", center | {"r": radius} | style)
    return ET.tostring(svg, encoding="unicode")


def _figure(height: float, right: float) -> Figure:
    figure = Figure((_WIDTH / 72, height / 72), dpi=72)
    figure.subplots_adjust(_LEFT / _WIDTH, _BOTTOM / height, 1 - right / _WIDTH, 1 - _TOP / height)
    return figure


def _title(axes: Any, text: str) -> None:
    """Write the title of the vertical axis above its tick labels."""
    axes.patch.set_visible(False)
    axes.annotate(
        text,
        (0, 1),
        (0, 12),
        color=COLORS["ink"],
        xycoords=("figure fraction", "axes fraction"),
        textcoords="offset points",
    )


def _scale(axes: Any, values: Sequence[float]) -> None:
    """Fit the vertical axis to the finite values of its curves."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low > 0 and high > 10 * low:
        _scale_log(axes, "y", low / 1.15, high * 1.15, most=5)
        return
    margin = 0.06 * (high - low) or abs(high) / 2 or 1.0
    low, high = (max(low - margin, 0.0) if low >= 0 else low - margin), high + margin
    axes.set(ylim=(low, high), yticks=_ticks(low, high))


def _scale_log(axes: Any, name: str, low: float, high: float, most: int) -> None:
    """Make an axis logarithmic, with at most `most` ticks and without powers in their labels."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1,), (1, 3), (1, 2, 5)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        ticks = _within(ticks, low, high)
        if len(ticks) >= 3:
            break
    else:
        ticks = _ticks(low, high, 3)
    ticks = ticks[:: math.ceil(len(ticks) / most)]
    axes.set(**{f"{name}scale": "log", f"{name}lim": (low, high), f"{name}ticks": ticks})
    axes.set(**{f"{name}ticklabels": [f"{tick:g}" for tick in ticks]})
    axes.minorticks_off()


def _ticks(low: float, high: float, intervals: int = 5) -> list[float]:
    return _within(MaxNLocator(intervals, steps=_STEPS).tick_values(low, high), low, high)


def _within(ticks: Iterable[float], low: float, high: float) -> list[float]:
    return [tick for tick in ticks if low <= tick <= high]


def _mark_learning_rates(plots: Sequence[Any], history: Sequence[dict[str, float]]) -> None:
    """Draw a dotted line where the learning rate changes; label those that have room."""
    end = -math.inf
    for epoch, rate in learning_rate_changes(history):
        for axes in plots:
            axes.axvline(epoch, color=COLORS["muted"], linestyle=":", linewidth=1)
        text = plots[0].annotate(
            f"rate {rate:.3g}",
            (epoch, 1),
            (4, -1),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
        )
        box = text.get_window_extent()
        if box.x0 < end or box.x1 > _WIDTH:
            text.remove()
        else:
            end = box.x1


def _label(axes: Any, height: float, files: Sequence[Bubble]) -> None:
    """Write the labels into one column, centered on the files if there is room."""
    points = {file: (file.latency_ms, file.accuracy) for file in files}
    heights = [axes.transData.transform(point)[1] for point in points.values()]
    span = _LABEL_STEP * (len(files) - 1)
    lowest, highest = _BOTTOM + _LABEL_STEP / 2, height - _TOP - _LABEL_STEP / 2
    first = min(max(sum(heights) / len(heights) - span / 2, lowest), highest - span)
    left = _WIDTH - _LABEL_WIDTH + 28
    for rank, file in enumerate(sorted(files, key=lambda file: (file.accuracy, -file.latency_ms))):
        middle = first + _LABEL_STEP * rank
        axes.annotate(
            file.name,
            points[file],
            (left, middle + 3),
            textcoords="figure points",
            va="baseline",
            color=COLORS["ink"],
            arrowprops={
                "arrowstyle": "-",
                "color": COLORS["muted"],
                "linewidth": 0.75,
                "relpos": (0, 0.3),
                "shrinkA": 4,
                "shrinkB": 0,
            },
        )
        axes.annotate(
            file.detail,
            points[file],
            (left, middle - 12),
            textcoords="figure points",
            va="baseline",
        )


def _with_variables(style: str) -> str:
    for name, color in COLORS.items():
        style = style.replace(color, f"var(--{name})")
    return re.sub(r"font-family: [^;]*; |stroke-dashoffset: 0; |text-anchor: start; ", "", style)


def _rounded(numbers: str) -> str:
    """Round to tenths and drop line breaks."""
    shorter = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", numbers)
    return " ".join(shorter.split())
