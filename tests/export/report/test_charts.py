import itertools
import math
from xml.etree import ElementTree as ET

import pytest

from export.report.charts import Bubble, Panel, apart, bubbles, curves, spread


@pytest.mark.parametrize(
    "wanted", [[0.0], [5.0, 5.0, 5.0], [0.0, 1.0, 60.0, 61.0, 99.0], [98.0, 99.0, 100.0]]
)
def test_spread_keeps_order_distance_and_bounds(wanted: list[float]) -> None:
    places = spread(wanted, 10, 0, 100)
    assert len(places) == len(wanted)
    assert all(0 <= place <= 100 for place in places)
    assert all(b - a >= 10 - 1e-9 for a, b in itertools.pairwise(places))


def test_spread_moves_no_more_than_it_must() -> None:
    assert spread([10, 40, 90], 10, 0, 100) == [10, 40, 90]
    assert spread([50, 50], 10, 0, 100) == [45, 55]


def test_apart() -> None:
    assert apart([], float, 10) == []
    assert apart([0, 4, 9, 12, 30], float, 10) == [0, 12, 30]


def coordinates(root: ET.Element) -> list[float]:
    """Return every number that places something."""
    names = ("x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r")
    single = [float(e.attrib[n]) for e in root.iter() for n in names if n in e.attrib]
    pairs = [e.attrib["points"] for e in root.iter("polyline")]
    return single + [float(n) for pair in pairs for n in pair.replace(",", " ").split()]


@pytest.mark.parametrize(
    "values",
    [[0.5], [0.5, 0.5, 0.5], [0.0, 0.0], [80.0, 3.0, 0.2], [1.0, math.nan, 0.5], [1e-9, 1e9]],
)
def test_curves_stay_on_the_paper(values: list[float]) -> None:
    epochs = list(range(1, len(values) + 1))
    svg = curves(epochs, [Panel("loss", values, values)] * 2, [(1.5, "rate 0.01")], "Loss.")
    root = ET.fromstring(svg)
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert all(0 <= value <= max(width, height) for value in coordinates(root))


@pytest.mark.parametrize("count", [1, 2, 12])
@pytest.mark.parametrize("equal", [True, False])
def test_every_bubble_is_named_and_area_is_size(count: int, equal: bool) -> None:
    points = [
        Bubble(f"file {i}", "detail", 0.03 if equal else 0.03 * 4**i, 98.0 + i * (not equal), 1 + i)
        for i in range(count)
    ]
    root = ET.fromstring(bubbles(points, "ms", "%", 98.0, 100.0, "Files."))
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert all(0 <= value <= max(width, height) for value in coordinates(root))
    texts = [element.text for element in root.iter("text")]
    assert all(point.name in texts for point in points)
    circles = [e for e in root.iter("circle") if e.attrib["class"] == "bubble"]
    radii = sorted(float(circle.attrib["r"]) for circle in circles)
    assert radii[0] ** 2 / radii[-1] ** 2 == pytest.approx(1 / count, rel=0.01)
