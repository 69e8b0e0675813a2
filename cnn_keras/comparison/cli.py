"""The command `compare`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro

from ..command import Command, Outcome, write_together
from ..errors import UsageError

SUFFIXES = (".html", ".md")


@dataclass(frozen=True, kw_only=True)
class Compare(Command):
    """Compare the results, curves and settings of runs.

    Runs may be finished or not, and of different networks and data sets. What a run lacks is shown
    as a dash.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Run folders, or trained networks such as resnet20:fashion_mnist; two or more."""
    out: tuple[Path, ...] = ()
    """Also write a page with curves: a .html file, a .md file, or both. The curves of NAME.md are
    in NAME.svg beside it."""

    def __call__(self) -> Outcome:
        for path in self.out:
            if path.suffix.lower() not in SUFFIXES:
                raise UsageError(f"--out takes .html and .md files, not {path}.")
        from . import render
        from .entries import open_entries

        entries = open_entries(self.runs)
        command = shlex.join(["cnn-keras", "compare", *map(str, self.runs), "--out"])
        files: dict[Path, bytes | str] = {}
        for path in self.out:
            line = f"{command} {shlex.quote(str(path))}"
            if path.suffix.lower() == ".html":
                files[path] = render.render_html(entries, line)
                continue
            figure = render.render_figure(entries)
            if figure is not None:
                files[path.with_suffix(".svg")] = figure
            name = None if figure is None else path.with_suffix(".svg").name
            files[path] = render.render_markdown(entries, line, name)
        write_together(files)
        document = render.to_document(entries) | {"files": [str(path) for path in files]}
        return Outcome(document, render.render_terminal(entries))
