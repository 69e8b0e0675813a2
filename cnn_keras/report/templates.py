"""Environments of Jinja templates for HTML pages and Markdown documents."""

from __future__ import annotations

from html import escape
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined


def html_environment(folder: Path) -> Environment:
    """Return the environment of the HTML templates in a folder, which can include style.css."""
    return _environment(folder, autoescape=True)


def markdown_environment(folder: Path) -> Environment:
    """Return the environment of the Markdown templates in a folder."""
    environment = _environment(folder, autoescape=False)
    environment.finalize = escape_markdown
    return environment


def _environment(folder: Path, *, autoescape: bool) -> Environment:
    return Environment(
        loader=FileSystemLoader([folder, Path(__file__).parent]),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=autoescape,
    )


def escape_markdown(value: object) -> object:
    """Escape the characters that Markdown, or HTML in it, takes for markup."""
    if hasattr(value, "__html__"):  # marked as safe in the template
        return value
    text = escape(" ".join(str(value).split()), quote=False)
    for sign in "\\`*[]|":
        text = text.replace(sign, f"\\{sign}")
    return text
