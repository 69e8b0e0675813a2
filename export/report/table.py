"""The table of files: columns, groups of columns, and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..benchmark.results import significant
from .facts import Entry
from .formatting import DASH, or_dash, plural, signed


class Column(NamedTuple):
    """A column.

    Attributes:
        heading: Name, and unit after a comma.
        meaning: One or two sentences.
        text: From a file's row of `export.json`, or from its benchmark row, to the text of a cell.
    """

    heading: str
    meaning: str
    text: Callable[[dict[str, Any]], str]


class Cell(NamedTuple):
    """A cell of the HTML table.

    Attributes:
        text: What it shows.
        heading: Of its column, shown where the heading of the table is hidden.
        kind: CSS classes.
        span: Number of columns.
    """

    text: str
    heading: str = ""
    kind: str = ""
    span: int = 1


class Group(NamedTuple):
    """Adjacent columns under one heading.

    Attributes:
        heading: Of the group.
        columns: Of benchmark rows if `num_threads` is set, else of rows of `export.json`.
        num_threads: Of the benchmark rows.
        suffix: Follows the heading of each cell.
    """

    heading: str
    columns: Sequence[Column]
    num_threads: int | None = None
    suffix: str = ""


_MAY_SHIP = (
    "Whether the file stays within its recipe's limits and holds no operation, type or shape that "
    "it should not. A refused file is not written."
)
# fmt: off
EXPORT = (
    Column("size, kB",
           "Size of the file, in thousands of bytes, labels and preprocessing included.",
           lambda file: f"{file['size_bytes'] / 1000:,.1f}"),
    Column("ratio",
           "Size over that of the float32 file.",
           lambda file: f"{file['size_ratio']:.2f}×"),
    Column("top-1, %",
           "Share of the held-out images whose likeliest class is the right one, by LiteRT.",
           lambda file: f"{100 * file['top1_file']:.2f}"),
    Column("drop, points",
           "Top-1 of the Keras model less top-1 of the file, in percentage points; below zero the "
           "file is better.",
           lambda file: signed(file["drop_points"], 2)),
    Column("agreement, %",
           "Share of the held-out images on which file and Keras model give the same class.",
           lambda file: f"{100 * file['agreement']:.2f}"),
    Column("SNR, dB",
           "Power of the Keras model's probabilities over that of the file's error; 20 dB is an "
           "error of a tenth, each further 20 dB a tenth of that.",
           lambda file: or_dash(file["snr_db"], ".1f")),
)
LATENCY = (
    Column("p50, ms",
           "Median latency: the inference of one image alone, without copying it in and out, back "
           "to back after a warm-up, in a fresh process.",
           lambda row: significant(row["latency_p50_ms"])),
    Column("p90, ms", "Nine of ten of these inferences are as fast or faster.",
           lambda row: significant(row["latency_p90_ms"])),
    Column("p99, ms", "Ninety-nine of a hundred are; other work on the machine shows here first.",
           lambda row: significant(row["latency_p99_ms"])),
)
START = (
    Column("load, ms",
           "Opening the file, creating the interpreter and packing the weights, once.",
           lambda row: significant(row["load_ms"])),
    Column("first, ms", "The first inference after that.",
           lambda row: significant(row["first_ms"])),
    Column("peak, MiB",
           "Most resident memory of the process up to its first inference; Python, numpy and the "
           "runtime take most of it.",
           lambda row: f"{row['peak_rss_mb']:.1f}"),
)
AUDIT = (
    Column("delegated",
           "Operations of the file that XNNPACK's optimized kernels run, of all.",
           lambda file: f"{or_dash(file['audit']['delegated_nodes'], 'd')}"
                        f"/{file['audit']['nodes']}"),
    Column("partitions",
           "Pieces in which XNNPACK gets them; every further one costs a copy.",
           lambda file: or_dash(file["audit"]["partitions"], "d")),
)
# fmt: on


def meanings() -> list[tuple[str, str]]:
    """Return each heading with its meaning."""
    columns = (*EXPORT, *LATENCY, *START, *AUDIT)
    return [("may ship", _MAY_SHIP), *((column.heading, column.meaning) for column in columns)]


def groups(threads: Sequence[int]) -> list[Group]:
    """Return the groups of the table.

    Args:
        threads: The numbers of threads that files were measured with.
    """
    found = [Group("against the Keras model", EXPORT)]
    for count in threads:
        name = plural(count, "thread")
        found.append(Group(f"latency, {name}", LATENCY, count, f", {name}"))
    if threads:
        found.append(Group(f"start, {plural(threads[0], 'thread')}", START, threads[0]))
    return [*found, Group("XNNPACK", AUDIT)]


def texts(columns: Sequence[Column], row: dict[str, Any] | None) -> list[str]:
    """Return the cells of a row, dashes if there is no row."""
    return [DASH if row is None else column.text(row) for column in columns]


def export_row(file: dict[str, Any]) -> dict[str, Any] | None:
    """Return a file's row of `export.json`, None if the file could not be converted or run."""
    return file if file["audit"] else None


def judgment(file: dict[str, Any]) -> str:
    """Return whether a file may ship."""
    return "✓ ships" if file["accepted"] else "✕ refused"


def cells(entry: Entry, file: dict[str, Any]) -> list[Cell]:
    """Return a file's row of the HTML table, except its recipe and judgment."""
    found = []
    is_measured = any(entry.measured(file, count) for count in entry.threads)
    for group in groups(entry.threads):
        count = group.num_threads
        if count is None or is_measured:
            row = export_row(file) if count is None else entry.measured(file, count)
            for column, text in zip(group.columns, texts(group.columns, row), strict=True):
                kind = "start" if column is group.columns[0] else ""
                found.append(Cell(text, f"{column.heading}{group.suffix}", kind))
        elif found[-1].kind == "absent start":
            found[-1] = found[-1]._replace(span=found[-1].span + len(group.columns))
        else:
            reason = "not measured" + ", because it was not written" * (not file["accepted"])
            found.append(Cell(f"{DASH} {reason}", "", "absent start", len(group.columns)))
    return found


def summary(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Return the headings and rows of one table of all files, latencies in one cell each."""
    threads = sorted({count for entry in entries for count in entry.threads})
    headings = ["network", "recipe", "verdict", *(column.heading for column in EXPORT)]
    headings += [f"p50 / p90 / p99, ms, {plural(count, 'thread')}" for count in threads]
    headings += ["load / first, ms", "peak, MiB", *(column.heading for column in AUDIT)]
    rows = []
    for entry in entries:
        for file in entry.export["files"]:
            measured = [entry.measured(file, count) for count in threads]
            start = measured[0] if measured else None
            load, first, peak = texts(START, start)
            rows.append(
                [
                    entry.run.config["network"],
                    file["recipe"],
                    "; ".join([judgment(file), *file["reasons"], *file["remarks"]]),
                    *texts(EXPORT, export_row(file)),
                    *(" / ".join(texts(LATENCY, row)) if row else DASH for row in measured),
                    f"{load} / {first}" if start else DASH,
                    peak,
                    *texts(AUDIT, export_row(file)),
                ]
            )
    return headings, rows
