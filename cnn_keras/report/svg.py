"""Figures as SVG that takes its font and colors from the page around it."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure

from .axes import COLORS, STYLE

_NAMESPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


def to_svg(figure: Figure, description: str) -> str:
    """Return a figure as one `svg` element without ids, links, fonts or fixed colors.

    Args:
        figure: A figure whose markers are circles.
        description: What it shows, for screen readers.
    """
    with mpl.rc_context(STYLE):
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


def to_svg_file(figure: Figure, description: str) -> str:
    """Return a figure as the text of an SVG file, with the colors of the light page.

    Args:
        figure: A figure whose markers are circles.
        description: What it shows, for screen readers.
    """
    svg = to_svg(figure, description)
    for name, color in COLORS.items():
        svg = svg.replace(f"var(--{name})", color)
    start, _, rest = svg.partition(">")
    return (
        f'{start} xmlns="http://www.w3.org/2000/svg" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="white" />{rest}\n'
    )


def _with_variables(style: str) -> str:
    for name, color in COLORS.items():
        style = style.replace(color, f"var(--{name})")
    return re.sub(r"font-family: [^;]*; |stroke-dashoffset: 0; |text-anchor: start; ", "", style)


def _rounded(numbers: str) -> str:
    """Round to tenths and drop line breaks."""
    shorter = re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", numbers)
    return " ".join(shorter.split())
