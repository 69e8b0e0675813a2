"""Figures of the report."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import matplotlib as mpl
from matplotlib.figure import Figure

from cnn_keras.report.axes import (
    BOTTOM,
    COLORS,
    HEIGHT,
    LEFT,
    MAX_DOTS,
    RIGHT,
    STYLE,
    TOP,
    WIDTH,
    count_epochs,
    new_figure,
    set_log_scale,
    set_scale,
    ticks_between,
    write_title,
)

_BUBBLE_RADIUS = 22.0  # of the largest file, in points
_LABEL_WIDTH = 182.0
_LABEL_STEP = 38.0  # a label has two lines


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


@mpl.rc_context(STYLE)
def draw_training(history: Sequence[dict[str, float]]) -> Figure:
    """Draw error and loss of the training and validation images over the epochs.

    An axis is logarithmic if its values are positive and the largest is more than ten times the
    smallest.

    Args:
        history: At least one row of `history.csv`.
    """
    epochs = [row["epoch"] for row in history]
    figure = new_figure(HEIGHT, RIGHT)
    error, loss = figure.subplots(2, sharex=True)
    for axes, metric in ((error, "accuracy"), (loss, "loss")):
        axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)
        curves = {name: [row[name] for row in history] for name in (metric, f"val_{metric}")}
        if metric == "accuracy":
            curves = {name: [100 * (1 - x) for x in values] for name, values in curves.items()}
        for values, label, color, style in zip(
            curves.values(), ("train", "validation"), ("warm", "accent"), ("--", "-"), strict=True
        ):
            marker = "o" if len(epochs) <= MAX_DOTS else None
            axes.plot(
                epochs,
                values,
                style,
                color=COLORS[color],
                label=label,
                marker=marker,
                clip_on=False,
            )
        set_scale(axes, [x for values in curves.values() for x in values if math.isfinite(x)])
    write_title(error, "error, %")
    write_title(loss, "loss, nats")
    error.legend(loc="lower right", bbox_to_anchor=(1, 1.06), ncols=2)
    error.spines.bottom.set_visible(False)
    count_epochs(loss)
    _mark_learning_rates((error, loss), history)
    return figure


@mpl.rc_context(STYLE)
def draw_files(files: Sequence[Bubble], reference: float) -> Figure:
    """Draw accuracy over latency with the file sizes as areas.

    The labels stand in a column at the right, connected to their files, so that none overlap.

    Args:
        files: At least one.
        reference: Accuracy of the Keras model, in percent; drawn as a dotted line.
    """
    height = max(HEIGHT, TOP + BOTTOM + _LABEL_STEP * len(files))
    figure = new_figure(height, _LABEL_WIDTH)
    axes = figure.subplots()
    write_title(axes, "top-1, %")
    axes.set_xlabel("p50 latency, ms", labelpad=2)

    accuracies = [reference, *(file.accuracy for file in files)]
    margin = max(0.25 * (max(accuracies) - min(accuracies)), 0.5)
    low, high = min(accuracies) - margin, max(accuracies) + margin
    axes.set_ylim(low, high)
    axes.set_yticks(ticks_between(low, min(high, 100.0)))
    # At both ends the axis leaves room for the largest bubble.
    latencies = [file.latency_ms for file in files]
    width = WIDTH - LEFT - _LABEL_WIDTH
    center = math.sqrt(min(latencies) * max(latencies))
    reach = max(math.sqrt(max(latencies) / min(latencies)), 1.5)
    reach **= width / (width - 2 * _BUBBLE_RADIUS - 8)
    set_log_scale(axes, "x", center / reach, center * reach, most=4)

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
        if box.x0 < end or box.x1 > WIDTH:
            text.remove()
        else:
            end = box.x1


def _label(axes: Any, height: float, files: Sequence[Bubble]) -> None:
    """Write the labels into one column, centered on the files if there is room."""
    points = {file: (file.latency_ms, file.accuracy) for file in files}
    heights = [axes.transData.transform(point)[1] for point in points.values()]
    span = _LABEL_STEP * (len(files) - 1)
    lowest, highest = BOTTOM + _LABEL_STEP / 2, height - TOP - _LABEL_STEP / 2
    first = min(max(sum(heights) / len(heights) - span / 2, lowest), highest - span)
    left = WIDTH - _LABEL_WIDTH + 28
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
