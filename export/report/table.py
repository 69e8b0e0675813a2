"""The table of files: columns, groups of columns, and cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from cnn_keras.report.formatting import DASH, or_dash, plural, signed
from cnn_keras.tables import significant

from .facts import Entry


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


_VERDICT = (
    "Whether the file is within its recipe's limits, allowing for sampling error in drop and "
    "agreement, and has no unexpected operation, type or shape. A refused file is not written."
)
# fmt: off
EXPORT = (
    Column("size, kB",
           "File size in thousands of bytes, including labels and preprocessing.",
           lambda file: f"{file['size_bytes'] / 1000:,.1f}"),
    Column("ratio",
           "File size divided by that of the float32 file.",
           lambda file: f"{file['size_ratio']:.2f}×"),
    Column("top-1, %",
           "Top-1 accuracy of the file in LiteRT on the held-out images.",
           lambda file: f"{100 * file['top1_file']:.2f}"),
    Column("drop, points",
           "Top-1 accuracy of the Keras model minus that of the file, in percentage points; "
           "negative if the file is better.",
           lambda file: signed(file["drop_points"], 2)),
    Column("agreement, %",
           "Share of the held-out images for which file and Keras model predict the same class.",
           lambda file: f"{100 * file['agreement']:.2f}"),
    Column("SNR, dB",
           "Signal-to-noise ratio: the power of the Keras model's probabilities divided by the "
           "power of the file's error. 20 dB is an error of 1/10; every further 20 dB divides it "
           "by 10.",
           lambda file: or_dash(file["snr_db"], ".1f")),
)
LATENCY = (
    Column("p50, ms",
           "Median latency of the inference of one image, without copying input and output, "
           "measured in a fresh process, back to back after a warm-up.",
           lambda row: significant(row["latency_p50_ms"])),
    Column("p90, ms",
           "90 % of the inferences take at most this long.",
           lambda row: significant(row["latency_p90_ms"])),
    Column("p99, ms",
           "99 % of the inferences take at most this long; other work on the machine affects this "
           "number first.",
           lambda row: significant(row["latency_p99_ms"])),
)
STARTUP = (
    Column("load, ms",
           "Time to open the file, create the interpreter and pack the weights.",
           lambda row: significant(row["load_ms"])),
    Column("first, ms",
           "Latency of the first inference after loading.",
           lambda row: significant(row["first_ms"])),
    Column("peak, MiB",
           "Peak resident memory of the process up to its first inference; most of it is Python, "
           "NumPy and the runtime.",
           lambda row: f"{row['peak_rss_mb']:.1f}"),
)
AUDIT = (
    Column("delegated",
           "Operations that XNNPACK's optimized kernels run, of all operations of the file.",
           lambda file: f"{or_dash(file['audit']['delegated_nodes'], 'd')}"
                        f"/{file['audit']['nodes']}"),
    Column("partitions",
           "Parts of the graph that XNNPACK runs; each further part costs a copy.",
           lambda file: or_dash(file["audit"]["partitions"], "d")),
)
# fmt: on


def meanings() -> list[tuple[str, str]]:
    """Return each heading with its meaning."""
    columns = (*EXPORT, *LATENCY, *STARTUP, *AUDIT)
    return [("verdict", _VERDICT), *((column.heading, column.meaning) for column in columns)]


def groups(threads: Sequence[int]) -> list[Group]:
    """Return the groups of the table.

    Args:
        threads: The numbers of threads that files were measured with.
    """
    found = [Group("compared with the Keras model", EXPORT)]
    for count in threads:
        name = plural(count, "thread")
        found.append(Group(f"latency, {name}", LATENCY, count, f", {name}"))
    if threads:
        found.append(Group(f"startup, {plural(threads[0], 'thread')}", STARTUP, threads[0]))
    return [*found, Group("XNNPACK", AUDIT)]


def texts(columns: Sequence[Column], row: dict[str, Any] | None) -> list[str]:
    """Return the cells of a row, dashes if there is no row."""
    return [DASH if row is None else column.text(row) for column in columns]


def export_row(file: dict[str, Any]) -> dict[str, Any] | None:
    """Return a file's row of `export.json`, None if the file could not be converted or run."""
    return file if file["audit"] else None


def verdict(file: dict[str, Any]) -> str:
    """Return whether a file is accepted."""
    return "✓ accepted" if file["accepted"] else "✕ refused"


def cells(entry: Entry, file: dict[str, Any]) -> list[Cell]:
    """Return a file's row of the HTML table, except its recipe and verdict."""
    found = []
    is_regression = any(entry.measured(file, count) for count in entry.threads)
    for group in groups(entry.threads):
        count = group.num_threads
        if count is None or is_regression:
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


def markdown_table(entries: Sequence[Entry]) -> tuple[list[str], list[list[str]]]:
    """Return the headings and rows of one table of all files, latencies in one cell each."""
    threads = sorted({count for entry in entries for count in entry.threads})
    headings = ["network", "origin", "recipe", "verdict", *(column.heading for column in EXPORT)]
    headings += [f"p50 / p90 / p99, ms, {plural(count, 'thread')}" for count in threads]
    headings += ["load / first, ms", "peak, MiB", *(column.heading for column in AUDIT)]
    rows = []
    for entry in entries:
        for file in entry.export["files"]:
            measured = [entry.measured(file, count) for count in threads]
            start = measured[0] if measured else None
            load, first, peak = texts(STARTUP, start)
            rows.append(
                [
                    entry.package_name or entry.run.config["network"],
                    entry.origin,
                    file["recipe"],
                    "; ".join([verdict(file), *file["reasons"], *file["remarks"]]),
                    *texts(EXPORT, export_row(file)),
                    *(" / ".join(texts(LATENCY, row)) if row else DASH for row in measured),
                    f"{load} / {first}" if start else DASH,
                    peak,
                    *texts(AUDIT, export_row(file)),
                ]
            )
    return headings, rows
