"""The table of measurements: its columns and its cells, as Markdown and as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import NamedTuple

from cnn_keras.report.formatting import DASH, signed
from cnn_keras.report.templates import escape_markdown
from cnn_keras.tables import significant

from .measurements import Measurement


class Column(NamedTuple):
    """A column of the table. The page formats cells by the same kinds, in `table.js`.

    Attributes:
        key: Field of a `Measurement`.
        heading: Its heading, with the unit.
        kind: How a cell is formatted, see `cell`.
        meaning: What it is, for the page; empty for what its heading says.
    """

    key: str
    heading: str
    kind: str
    meaning: str = ""


COLUMNS = (
    Column("name", "file", "text"),
    Column("recipe", "recipe", "text", "how the file stores its numbers"),
    Column("place", "place", "text", "where the file ran; local is the machine of the command"),
    Column("host", "host", "text", "the machine at the place"),
    Column("num_threads", "threads", "integer", "that the runtime may use"),
    Column(
        "accuracy",
        "top-1, %",
        "percent",
        "accuracy of the file on held-out images, from export.json; a dash where it is not known, "
        "and none for an untrained network",
    ),
    Column("drop_points", "drop, points", "points", "accuracy of the Keras model minus top-1"),
    Column("latency_p50_ms", "p50, ms", "significant", "median latency of one inference"),
    Column("latency_p90_ms", "p90, ms", "significant", "90 % of the inferences take at most this"),
    Column("latency_p99_ms", "p99, ms", "significant", "99 % of the inferences take at most this"),
    Column("first_ms", "first, ms", "significant", "the first inference"),
    Column("load_ms", "load, ms", "significant", "opening the file and packing its weights"),
    Column(
        "peak_rss_mb",
        "peak, MiB",
        "tenths",
        "peak resident memory of the process up to the end of the first inference",
    ),
    Column("size_bytes", "size, kB", "kilobytes", "1 kB is 1000 bytes"),
    Column("delegated_nodes", "delegated", "delegated", "operations that XNNPACK runs, of all"),
    Column("network", "network", "text"),
    Column("data", "data set", "text", "that the network was trained on"),
    Column("input", "input", "text", "height × width × channels of an image"),
    Column("runtime", "runtime", "text", "the program that ran the file"),
    Column("time", "measured, UTC", "time"),
)


def cell(found: Measurement, column: Column) -> str:
    """Return a cell as text, with a dash for what is not known."""
    value = getattr(found, column.key)
    if column.key == "accuracy" and found.untrained:
        return "untrained"
    if value is None:
        return DASH
    match column.kind:
        case "significant":
            return significant(value)
        case "percent":
            return f"{100 * value:.2f}"
        case "points":
            return signed(value, 2)
        case "tenths":
            return f"{value:,.1f}"
        case "kilobytes":
            return f"{value / 1000:,.1f}"
        case "delegated":
            return f"{value}/{DASH if found.nodes is None else found.nodes}"
        case "time":
            return f"{value[:10]} {value[11:16]}"
    return str(value)


def to_markdown(found: Sequence[Measurement]) -> str:
    """Return the table as Markdown."""
    numeric = [column.kind not in ("text", "time") for column in COLUMNS]
    lines = [
        [column.heading for column in COLUMNS],
        ["---:" if right else ":---" for right in numeric],
        *([str(escape_markdown(cell(each, column))) for column in COLUMNS] for each in found),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def to_csv(found: Sequence[Measurement]) -> str:
    """Return measurements as CSV with the fields of a `Measurement`; empty if not known."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Measurement._fields)
    writer.writerows(
        [str(value).lower() if isinstance(value, bool) else value for value in each]
        for each in found
    )
    return text.getvalue()
