from __future__ import annotations

from xml.etree import ElementTree as ET

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from cnn_keras.report.axes import COLORS, STYLE, new_figure
from cnn_keras.report.svg import to_svg, to_svg_file


@pytest.fixture
def figure() -> Figure:
    with mpl.rc_context(STYLE):
        figure = new_figure(330.0, 10.0)
        figure.subplots().plot([1, 2], [3, 4], color=COLORS["accent"], marker="o")
    return figure


def test_colors_are_variables_and_markers_circles(figure: Figure) -> None:
    root = ET.fromstring(to_svg(figure, "What it shows."))
    assert root.attrib["aria-label"] == "What it shows."
    circles = [element for element in root if element.tag == "circle"]
    assert len(circles) == 2
    assert {circle.attrib["r"] for circle in circles} == {"2.5"}
    assert "var(--accent)" in circles[0].attrib["style"]


def test_a_file_has_the_colors_of_the_light_page(figure: Figure) -> None:
    text = to_svg_file(figure, "What it shows.")
    root = ET.fromstring(text)
    assert "var(" not in text
    assert COLORS["accent"] in text
    assert root[0].tag == "{http://www.w3.org/2000/svg}rect"
    assert root[0].attrib["fill"] == "white"
    assert len(root) == len(ET.fromstring(to_svg(figure, "What it shows."))) + 1
