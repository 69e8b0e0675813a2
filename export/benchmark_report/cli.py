"""The command `report`."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

import tyro

from cnn_keras.command import Command, Outcome, log, write_together
from cnn_keras.errors import UsageError
from cnn_keras.report.formatting import plural

_MAX_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Report(Command):
    """Write a page about the measurements of `benchmark`.

    The page shows the accuracy of each file against its latency, size and memory, the history of
    the measurements, and a table. All can be filtered by place, host, network, recipe and threads.
    The page is one file, which fetches nothing.
    """

    results: tyro.conf.Positional[tuple[Path, ...]]
    """JSONL files that benchmark has written."""
    out: Path = Path("report.html")
    """The page."""
    markdown: Path | None = None
    """Also write the latest measurement of each file, by host and threads, as a Markdown table."""
    csv: Path | None = None
    """Also write all measurements as CSV."""
    exports: tuple[Path, ...] = ()
    """Further folders of exports, whose export.json has the accuracy of measured files; by default
    those beside the measured file and the JSONL file."""
    open: bool = False
    """Open the page in the browser."""

    def __call__(self) -> Outcome:
        self._validate()
        from ..benchmark.results_files import read_results
        from .exports import find_exports
        from .measurements import latest, measurements
        from .render import render_html, summary
        from .table import to_csv, to_markdown

        results, duplicates = read_results(self.results)
        found = measurements(results, find_exports(results, self.exports))
        every = [each for each, _ in found]
        current = latest(every)
        files = {self.out: render_html(found, self.results, self._command())}
        if self.markdown:
            files[self.markdown] = f"{summary(every)}\n\n{to_markdown(current)}"
        if self.csv:
            files[self.csv] = to_csv(every)
        write_together(files)
        lines = [f"{self.out}: {summary(every)}"]
        lines += [f"{path} written." for path in (self.markdown, self.csv) if path]
        trained = [each for each in every if not each.untrained]
        missing = sorted({each.name for each in trained if each.accuracy is None})
        if missing:
            names = ", ".join(missing[:_MAX_NAMES]) + (" …" if len(missing) > _MAX_NAMES else "")
            lines.append(
                f"No accuracy is known of {plural(len(missing), 'file')}: {names}. Name the "
                "folders of their export.json with --exports."
            )
        if duplicates:
            lines.append(f"Without {plural(duplicates, 'duplicate')}.")
        if self.open:
            _open(self.out)
        document = {
            "report": str(self.out),
            "markdown": self.markdown and str(self.markdown),
            "csv": self.csv and str(self.csv),
            "measurements": len(every),
            "duplicates": duplicates,
            "latest": [each._asdict() for each in current],
        }
        return Outcome(document, "\n".join(lines))

    def _validate(self) -> None:
        """Refuse wrong options.

        Raises:
            UsageError: The page is not called .html, or a file is named twice.
        """
        if self.out.suffix.lower() not in (".html", ".htm"):
            raise UsageError(f"--out takes an .html file, not {self.out}.")
        paths = [*self.results, *filter(None, (self.out, self.markdown, self.csv))]
        outputs = {path.resolve() for path in paths[len(self.results) :]}
        inputs = {path.resolve() for path in self.results}
        if len(outputs) < len(paths) - len(self.results) or outputs & inputs:
            raise UsageError("The page, the Markdown and the CSV file must be different new files.")

    def _command(self) -> str:
        words = ["cnn-keras", "report", *map(str, self.results), "--out", str(self.out)]
        if self.exports:
            words += ["--exports", *map(str, self.exports)]
        return shlex.join(words)


def _open(page: Path) -> None:
    """Open a page in the browser of the user, or say that there is none."""
    import webbrowser

    if not webbrowser.open(page.resolve().as_uri()):
        log(f"No browser was found: open {page.resolve()} in one.")
