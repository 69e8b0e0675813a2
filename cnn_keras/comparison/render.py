"""A comparison as an HTML page, as a Markdown document, as JSON and on a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..report.formatting import enumerate_names
from ..report.svg import to_svg, to_svg_file
from ..report.templates import html_environment, markdown_environment
from ..tables import table
from . import facts
from .differences import compare_settings, differ_only_in_seed, seed_groups
from .entries import Entry
from .figures import ERROR, Panel, color, draw_curves, draw_overview, has_curve, line

if TYPE_CHECKING:
    from rich.console import RenderableType

_FOLDER = Path(__file__).parent
_MAX_COLUMNS = 5  # of runs, beside the names of the results, on a terminal
_CSS_LINES = {"-": "solid", "--": "dashed", ":": "dotted"}


def to_document(entries: Sequence[Entry]) -> dict[str, Any]:
    """Return the comparison as JSON types, with None for what a run lacks."""
    different, _ = compare_settings(entries)
    return {
        "runs": [entry.results | {"history": _finite(entry.history)} for entry in entries],
        "differences": [setting._asdict() for setting in different],
        "differ_only_in_seed": differ_only_in_seed(entries),
        "seed_groups": [
            {
                "runs": [str(entry.run.path) for entry in group.entries],
                "test_accuracy": group.accuracy.value,
                "test_accuracy_interval": group.accuracy.interval,
            }
            for group in seed_groups(entries)
        ],
        "summary": " ".join(facts.summary(entries)),
    }


def _finite(history: Sequence[dict[str, float]]) -> list[dict[str, float | None]]:
    """Return a table in which None stands for NaN and infinity, which JSON lacks."""
    return [
        {key: value if math.isfinite(value) else None for key, value in row.items()}
        for row in history
    ]


def render_terminal(entries: Sequence[Entry]) -> RenderableType:
    """Return the results, the settings that differ and the summary."""
    from rich.console import Group

    different, _ = compare_settings(entries)
    names = [entry.name for entry in entries]
    cells = [facts.result_cells(entry) for entry in entries]
    if len(entries) > _MAX_COLUMNS:
        rows = [(name, *row) for name, row in zip(names, cells, strict=True)]
        results = table(("run", *facts.RESULT_COLUMNS), rows)
    else:
        results = table(("result", *names), list(zip(facts.RESULT_COLUMNS, *cells, strict=True)))
    settings = [
        (facts.setting_name(setting), *map(facts.setting_text, setting.values))
        for setting in different
    ]
    tables = [results]
    if settings:
        tables.append(table(("setting that differs", *names), settings))
    return Group(*tables, "\n".join([*facts.summary(entries), *facts.notes(entries)]))


def render_html(entries: Sequence[Entry], command: str) -> str:
    """Return the comparison as one HTML page without external resources.

    Args:
        entries: The runs, in order.
        command: The command line that makes the page.
    """
    different, same = compare_settings(entries)

    def svg(panels: Sequence[Panel]) -> str:
        shown = [panel for panel in panels if any(has_curve(entry, [panel]) for entry in entries)]
        return to_svg(draw_curves(entries, shown), describe_curves(entries, shown))

    return (
        html_environment(_FOLDER)
        .get_template("page.html.j2")
        .render(
            version=__version__,
            entries=entries,
            facts=facts,
            different=different,
            same=same,
            command=command,
            svg=svg,
            color=color,
            css_line=lambda index: _CSS_LINES[line(index)],
        )
    )


def render_markdown(entries: Sequence[Entry], command: str, figure: str | None) -> str:
    """Return the comparison as Markdown.

    Args:
        entries: The runs, in order.
        command: The command line that makes the document.
        figure: File name of the curves, for a link; None if no run has any.
    """
    different, same = compare_settings(entries)
    return (
        markdown_environment(_FOLDER)
        .get_template("page.md.j2")
        .render(
            entries=entries,
            facts=facts,
            different=different,
            same=same,
            command=command,
            figure=figure,
        )
    )


def render_figure(entries: Sequence[Entry]) -> str | None:
    """Return all curves as an SVG file; None if no run has any."""
    if not any(has_curve(entry, ERROR) for entry in entries):
        return None
    return to_svg_file(draw_overview(entries), "Curves of the runs over the epochs")


def describe_curves(entries: Sequence[Entry], panels: Sequence[Panel]) -> str:
    """Describe a figure for screen readers: the values after the last epoch of each run."""
    parts = []
    for panel in panels:
        values = [
            f"{entry.name} {panel.convert(entry.history[-1][panel.column]):.4g}"
            for entry in entries
            if has_curve(entry, [panel])
        ]
        parts.append(f"{panel.title}: {', '.join(values)}")
    names = enumerate_names(panel.title for panel in panels)
    return f"{names} over the epochs. After the last epoch: {'; '.join(parts)}"
