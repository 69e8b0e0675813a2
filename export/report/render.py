"""The report of a demo as one HTML page and as one Markdown document.

Both depend on the entries, the host and the installed versions alone; they contain no date.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnn_keras import __version__
from cnn_keras.report.formatting import enumerate_names
from cnn_keras.report.svg import to_svg
from cnn_keras.report.templates import html_environment, markdown_environment

from . import confusion, facts, figures, overview, table
from .facts import Entry


def render_html(entries: Sequence[Entry], host: dict[str, Any], command: str) -> str:
    """Return the report as one HTML page without external resources.

    Args:
        entries: The networks, in order.
        host: Fields of `cnn_keras.machine.Host`, the machine that measured the files.
        command: The command line that makes the page.

    Example:
        entries = [Entry(run, document, rows)]
        text = render_html(entries, host()._asdict(), "cnn-keras demo")
    """
    return (
        html_environment(Path(__file__).parent)
        .get_template("page.html.j2")
        .render(
            title=f"Trained, exported and measured: {_trained_now(entries)}",
            version=__version__,
            entries=entries,
            host=host,
            command=command,
            confusion=confusion,
            facts=facts,
            overview=overview,
            table=table,
            training_svg=_training_svg,
            files_svg=_files_svg,
        )
    )


def render_markdown(entries: Sequence[Entry], host: dict[str, Any], command: str) -> str:
    """Return the report as Markdown: the summary, one table of all files, and the facts.

    Args:
        entries: The networks, in order.
        host: Fields of `cnn_keras.machine.Host`, the machine that measured the files.
        command: The command line that makes the document.
    """
    return (
        markdown_environment(Path(__file__).parent)
        .get_template("page.md.j2")
        .render(
            names=_trained_now(entries),
            entries=entries,
            host=host,
            command=command,
            facts=facts,
            overview=overview,
            table=table,
        )
    )


def _trained_now(entries: Sequence[Entry]) -> str:
    return enumerate_names(entry.name for entry in entries if not entry.is_shipped)


def _training_svg(entry: Entry) -> str:
    figure = figures.draw_training(entry.run.history)
    return to_svg(figure, facts.training_description(entry))


def _files_svg(entry: Entry) -> str:
    figure = figures.draw_files(facts.bubbles(entry), facts.reference(entry))
    return to_svg(figure, facts.files_description(entry))
