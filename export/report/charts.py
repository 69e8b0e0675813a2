"""Charts as SVG that takes its colors and font from the page around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from .page import Html, join, tag

_WIDTH = 420.0
_LEFT, _RIGHT = 44.0, 10.0  # room for the numbers of the vertical axis, and beside the last point
_PANEL, _TOP, _BETWEEN = 118.0, 26.0, 34.0  # height of a panel's plot, of its title, and below it
_AXIS = 34.0  # numbers and name of the horizontal axis
_LARGEST = 22.0  # radius of the greatest bubble
_LABELS = 152.0  # width of the bubbles' names
_TICK_STEP = 34.0  # from one number of the horizontal axis to the next
_LABEL_STEP = 38.0  # names have two lines


class Panel(NamedTuple):
    """Two curves over the epochs.

    Attributes:
        title: With the unit.
        train: One value an epoch.
        validation: The same on images that are not trained on.
    """

    title: str
    train: Sequence[float]
    validation: Sequence[float]


class Bubble(NamedTuple):
    """One point of a scatter.

    Attributes:
        name: Written beside it.
        detail: Written under the name.
        x: Greater than 0; the axis is logarithmic.
        y: Linear.
        size: Proportional to the area.
    """

    name: str
    detail: str
    x: float
    y: float
    size: float


def curves(
    epochs: Sequence[int], panels: Sequence[Panel], drops: Sequence[tuple[float, str]], label: str
) -> Html:
    """Draw training and validation curves, one panel above the other.

    Args:
        epochs: Numbers of the epochs.
        panels: One plot each, over the same epochs; logarithmic where all values are positive and
            the greatest is more than ten times the least.
        drops: Where the learning rate changes, between two epochs, and what to write there.
        label: What the figure shows, for who cannot see it.
    """
    low, high = epochs[0] - 0.5, epochs[-1] + 0.5

    def x(epoch: float) -> float:
        return _LEFT + (epoch - low) / (high - low) * (_WIDTH - _LEFT - _RIGHT)

    parts: list[Html] = []
    for number, panel in enumerate(panels):
        top = _TOP + number * (_PANEL + _BETWEEN)
        scale = _Scale.of([*panel.train, *panel.validation], top + _PANEL, top)
        parts += [tag("text", panel.title, x=0, y=top - 12, class_="name"), *_legend(top - 12)]
        parts += [_horizontal(scale, value, _LEFT, _WIDTH - _RIGHT) for value in scale.ticks()]
        for place, text in drops:
            parts.append(_line(x(place), top, x(place), top + _PANEL, "mark"))
            if number == 0:
                parts.append(tag("text", text, x=x(place) + 4, y=top + 9))
        for kind, values in (("first", panel.train), ("second", panel.validation)):
            known = [pair for pair in zip(epochs, values, strict=True) if math.isfinite(pair[1])]
            points = [(x(epoch), scale(value)) for epoch, value in known]
            parts.append(_polyline(points, f"line {kind}"))
            if len(points) <= 20:
                parts += [tag("circle", cx=a, cy=b, r=2.5, class_=f"dot {kind}") for a, b in points]
    bottom = _TOP + len(panels) * (_PANEL + _BETWEEN) - _BETWEEN
    parts.append(_line(_LEFT, bottom, _WIDTH - _RIGHT, bottom, "axis"))
    whole = [epoch for epoch in _linear_ticks(epochs[0], epochs[-1], 8) if epoch == int(epoch)]
    parts += [
        tag("text", f"{epoch:g}", x=x(epoch), y=bottom + 16, text_anchor="middle")
        for epoch in whole or epochs
    ]
    parts.append(tag("text", "epoch", x=(_LEFT + _WIDTH) / 2, y=bottom + 31, text_anchor="middle"))
    return _svg(parts, bottom + _AXIS, label)


def bubbles(
    points: Sequence[Bubble],
    x_name: str,
    y_name: str,
    reference: float,
    y_limit: float,
    label: str,
) -> Html:
    """Draw a scatter whose points are named at its right side, so that no name hides another.

    Args:
        points: At least one.
        x_name: What the horizontal axis is, with the unit.
        y_name: What the vertical axis is, with the unit.
        reference: A value of the vertical axis that is marked.
        y_limit: The axis does not go beyond it.
        label: What the figure shows, for who cannot see it.
    """
    right = _WIDTH - _LABELS - 30
    top, bottom = _TOP, max(_TOP + 2 * _PANEL + _BETWEEN, _TOP + _LABEL_STEP * len(points))
    values = [point.y for point in points] + [reference]
    margin = max(0.25 * (max(values) - min(values)), 0.5)
    high = max(values) + margin
    vertical = _Scale(min(values) - margin, high, bottom - _LARGEST / 2, top, log=False)
    least, most = min(p.x for p in points), max(p.x for p in points)
    middle, reach = math.sqrt(least * most), max(math.sqrt(most / least), 1.5)
    # As much further at both ends as the greatest bubble needs.
    reach **= (right - _LEFT) / (right - _LEFT - 2 * _LARGEST - 8)
    across = _Scale(middle / reach, middle * reach, _LEFT, right, log=True)

    parts = [tag("text", y_name, x=0, y=top - 12, class_="name")]
    parts += [
        _horizontal(vertical, value, _LEFT, right) for value in vertical.ticks() if value <= y_limit
    ]
    parts.append(_line(_LEFT, bottom, right, bottom, "axis"))
    for value in apart(across.ticks(), across, _TICK_STEP):
        parts.append(_line(across(value), bottom, across(value), bottom + 4, "axis"))
        parts.append(
            tag("text", f"{value:g}", x=across(value), y=bottom + 16, text_anchor="middle")
        )
    parts.append(tag("text", x_name, x=(_LEFT + right) / 2, y=bottom + 31, text_anchor="middle"))
    parts.append(_line(_LEFT, vertical(reference), right, vertical(reference), "mark"))

    largest = max(point.size for point in points)
    ordered = sorted(points, key=lambda point: (-point.y, point.x))
    wanted = [vertical(point.y) for point in ordered]
    labels = spread(wanted, _LABEL_STEP, top + 8, bottom - 16)
    for point, at in zip(ordered, labels, strict=True):
        cx, cy = across(point.x), vertical(point.y)
        radius = _LARGEST * math.sqrt(point.size / largest)
        title = tag("title", f"{point.name}: {point.detail}")
        parts.append(tag("circle", title, cx=cx, cy=cy, r=radius, class_="bubble"))
        parts.append(_polyline([(cx, cy), (right + 10, at), (right + 24, at)], "leader"))
        parts.append(tag("circle", cx=cx, cy=cy, r=1.75, class_="dot second"))
        parts.append(tag("text", point.name, x=right + 28, y=at + 2, class_="name"))
        parts.append(tag("text", point.detail, x=right + 28, y=at + 17))
    return _svg(parts, bottom + _AXIS, label)


def spread(wanted: Sequence[float], step: float, low: float, high: float) -> list[float]:
    """Move sorted places apart until each is `step` from the next, as near as they were wanted.

    Args:
        wanted: Places in ascending order.
        step: Least distance.
        low: Least place.
        high: Greatest place, if there is room for all.

    Example:
        >>> spread([10, 10, 50], 8, 0, 100)
        [6.0, 14.0, 50.0]
    """
    groups: list[list[float]] = []  # members' wanted places, less what their rank adds
    for rank, place in enumerate(wanted):
        groups.append([place - rank * step])
        while len(groups) > 1 and _mean(groups[-2]) > _mean(groups[-1]):
            groups[-2:] = [groups[-2] + groups[-1]]
    bases = [_mean(group) for group in groups for _ in group]
    ceiling = max(low, high - step * (len(wanted) - 1))
    return [min(max(base, low), ceiling) + rank * step for rank, base in enumerate(bases)]


def apart(values: Sequence[float], scale: Callable[[float], float], step: float) -> list[float]:
    """Leave out ascending values whose places are nearer than `step` to the one before.

    Example:
        >>> apart([1, 2, 5], lambda value: 10 * value, 20)
        [1, 5]
    """
    kept = list(values[:1])
    for value in values[1:]:
        if scale(value) - scale(kept[-1]) >= step:
            kept.append(value)
    return kept


@dataclass(frozen=True)
class _Scale:
    """From values to places; `start` is where `low` goes, `end` where `high` goes."""

    low: float
    high: float
    start: float
    end: float
    log: bool

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> _Scale:
        """Return a scale that holds all values that are numbers."""
        known = [value for value in values if math.isfinite(value)] or [0.0]
        low, high = min(known), max(known)
        log = low > 0 and high > 10 * low
        if log:
            return cls(low / 1.15, high * 1.15, start, end, log)
        margin = 0.06 * (high - low) or abs(high) / 2 or 1.0
        return cls(
            max(low - margin, 0.0) if low >= 0 else low - margin, high + margin, start, end, log
        )

    def __call__(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round values within the scale."""
        if not self.log:
            return _linear_ticks(self.low, self.high, 5)
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
        for digits in ((1,), (1, 3), (1, 2, 5)):
            found = [digit * 10.0**decade for decade in decades for digit in digits]
            found = [value for value in found if self.low <= value <= self.high]
            if len(found) >= 3:
                return found
        return _linear_ticks(self.low, self.high, 6)


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    """Return at most about `count` multiples of 1, 2 or 5 times a power of ten."""
    if high <= low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [round(index * step, 12) for index in range(first, last + 1)]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _legend(y: float) -> list[Html]:
    """Name the two kinds of curves at the right end of a line."""
    parts = []
    for kind, name, x in (("first", "train", 284.0), ("second", "validation", 352.0)):
        parts.append(_line(x - 24, y - 4, x - 4, y - 4, f"line {kind}"))
        parts.append(tag("text", name, x=x, y=y))
    return parts


def _horizontal(scale: _Scale, value: float, left: float, right: float) -> Html:
    y = scale(value)
    number = tag("text", f"{value:g}", x=left - 7, y=y + 4, text_anchor="end")
    return join((_line(left, y, right, y, "grid"), number))


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Html:
    return tag("line", x1=x1, y1=y1, x2=x2, y2=y2, class_=kind)


def _polyline(points: Sequence[tuple[float, float]], kind: str) -> Html:
    shown = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return tag("polyline", points=shown, class_=kind)


def _svg(parts: list[Html], height: float, label: str) -> Html:
    return tag("svg", *parts, viewBox=f"0 0 {_WIDTH:g} {height:g}", role="img", aria_label=label)
