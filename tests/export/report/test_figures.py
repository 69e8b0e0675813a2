import itertools
import math
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from cnn_keras.report import svg
from cnn_keras.report.svg import to_svg
from export.report.figures import Bubble, draw_files, draw_training

STYLE = Path(svg.__file__).with_name("style.css").read_text(encoding="utf-8")


def history(values: list[float]) -> list[dict[str, float]]:
    keys = ("accuracy", "val_accuracy", "loss", "val_loss")
    return [
        {"epoch": epoch, "learning_rate": 0.1 / (1 + epoch // 2)} | dict.fromkeys(keys, value)
        for epoch, value in enumerate(values, 1)
    ]


def bubbles(count: int, *, equal: bool = False) -> list[Bubble]:
    return [
        Bubble(f"file {i}", "detail", 0.03 if equal else 0.03 * 4**i, 98.0 + i * (not equal), 1 + i)
        for i in range(count)
    ]


def parse(figure: Figure) -> ET.Element:
    return ET.fromstring(to_svg(figure, "What it shows."))


def coordinates(root: ET.Element) -> list[float]:
    """Return every coordinate and radius."""
    names = ("x", "y", "cx", "cy", "r")
    single = [float(e.attrib[n]) for e in root.iter() for n in names if n in e.attrib]
    paths = [e.attrib["d"] for e in root.iter("path")]
    return single + [float(n) for path in paths for n in re.findall(r"-?\d+\.?\d*", path)]


def box(text: Any) -> Any:
    """Return the extent of a label, without the line to its point."""
    text.get_window_extent()  # sets its position
    return Text.get_window_extent(text)


def assert_inside(root: ET.Element) -> None:
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    assert all(0 <= value <= max(width, height) for value in coordinates(root))


@pytest.mark.parametrize(
    "values",
    [
        [0.5],
        [0.5, 0.5, 0.5],
        [0.0, 0.0],
        [80.0, 3.0, 0.2],
        [1.0, math.nan, 0.5],
        [math.nan],
        [1e-9, 1e9],
        [0.5 / n for n in range(1, 200)],
    ],
)
def test_curves_have_every_point_inside_the_figure(values: list[float]) -> None:
    rows = history(values)
    figure = draw_training(rows)
    assert_inside(parse(figure))
    for axes, key in zip(figure.axes, ("accuracy", "loss"), strict=True):
        for line, name in zip(axes.lines[:2], (key, f"val_{key}"), strict=True):
            wanted = [100 * (1 - row[name]) if key == "accuracy" else row[name] for row in rows]
            assert [*line.get_ydata()] == pytest.approx(wanted, nan_ok=True)
            low, high = axes.get_ylim()
            assert all(low <= value <= high for value in wanted if math.isfinite(value))
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == [
        "train",
        "validation",
    ]


def test_learning_rates_are_labeled_where_there_is_room() -> None:
    few = [row | {"learning_rate": 0.1 if row["epoch"] < 3 else 0.01} for row in history([1.0] * 5)]
    assert [text for text in map(str, parse(draw_training(few)).itertext()) if "rate" in text] == [
        "rate 0.01"
    ]
    many = [row | {"learning_rate": 0.1 / row["epoch"]} for row in history([1.0] * 60)]
    figure = draw_training(many)
    boxes = [t.get_window_extent() for t in figure.axes[0].texts if "rate" in t.get_text()]
    assert len(boxes) >= 2
    assert all(a.x1 <= b.x0 for a, b in itertools.pairwise(boxes))
    marks = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert len(marks) == 59


@pytest.mark.parametrize("count", [1, 2, 12])
@pytest.mark.parametrize("equal", [True, False])
def test_every_bubble_has_a_label_and_its_area_is_the_size(count: int, equal: bool) -> None:
    points = bubbles(count, equal=equal)
    root = parse(draw_files(points, 98.0))
    assert_inside(root)
    texts = [element.text for element in root.iter("text")]
    assert all(point.name in texts for point in points)
    assert texts.count("detail") == count
    (circles,) = draw_files(points, 98.0).axes[0].collections
    assert len(circles.get_offsets()) == count
    areas = sorted(circles.get_sizes())
    assert areas[0] / areas[-1] == pytest.approx(1 / count)


@pytest.mark.parametrize("count", [1, 2, 5, 12])
@pytest.mark.parametrize("equal", [True, False])
def test_labels_keep_order_distance_and_bounds(count: int, equal: bool) -> None:
    figure = draw_files(bubbles(count, equal=equal), 98.0)
    (axes,) = figure.axes
    labels = [text for text in axes.texts if text.get_text().startswith(("file", "detail"))]
    boxes = sorted(map(box, labels), key=lambda box: box.y0)
    assert len(boxes) == 2 * count
    assert all(a.y1 <= b.y0 + 1 for a, b in itertools.pairwise(boxes))
    assert boxes[0].y0 >= 0
    assert boxes[-1].y1 <= figure.bbox.height
    assert all(axes.bbox.x1 < box.x0 and box.x1 <= figure.bbox.width for box in boxes)
    names = [text for text in labels if text.get_text().startswith("file")]
    if not equal:  # the most accurate file is at the top
        assert max(names, key=lambda text: box(text).y0).get_text() == f"file {count - 1}"


@pytest.mark.parametrize("least", [0.001, 0.0104, 0.37, 1, 7.3, 88])
@pytest.mark.parametrize("ratio", [1, 1.3, 2, 3.3, 8, 30, 300, 1e4])
def test_tick_labels_of_the_latency_axis_do_not_overlap(least: float, ratio: float) -> None:
    points = [Bubble("a", "", least, 98, 5), Bubble("b", "", least * ratio, 97, 5)]
    (axes,) = draw_files(points, 98).axes
    boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
    assert len(boxes) >= 2
    assert all(a.x1 < b.x0 for a, b in itertools.pairwise(boxes))


def test_accuracy_axis_ends_at_100_percent() -> None:
    (axes,) = draw_files(bubbles(2), 100.0).axes
    assert max(axes.get_yticks()) <= 100


@pytest.mark.parametrize("dark", [True, False])
def test_colors_are_variables_of_the_page(dark: bool) -> None:
    light, _, rest = STYLE.partition("@media (prefers-color-scheme: dark)")
    defined = re.findall(r"--(\w+):", rest.partition("@media")[0] if dark else light)
    for figure in (draw_training(history([0.5, 0.4])), draw_files(bubbles(5), 98.0)):
        text = to_svg(figure, "What it shows.")
        assert not re.search(r"#[0-9a-f]{3}|rgb|font-family", text)
        used = set(re.findall(r"var\(--(\w+)\)", text))
        assert {"ink", "muted", "rule", "accent"} <= used <= set(defined)


def test_svg_has_no_ids_or_links() -> None:
    for figure in (draw_training(history([0.5, 0.4])), draw_files(bubbles(5, equal=True), 98.0)):
        root = parse(figure)
        assert root.attrib["aria-label"] == "What it shows."
        names = {name for element in root.iter() for name in element.attrib}
        assert names.isdisjoint({"id", "href", "clip-path"})
