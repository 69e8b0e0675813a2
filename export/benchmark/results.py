"""Measurements as a table and as lines of a JSONL file."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cnn_keras.machine import Host
from cnn_keras.tables import escape

if TYPE_CHECKING:
    from .compare import Comparison
    from .runner import Row

FILE_NAME = "benchmarks.jsonl"  # beside the measured file, so that it moves with the export


def record(
    row: Row, machine: Host, versions: dict[str, str], comparison: Comparison | None = None
) -> dict[str, Any]:
    """Return the document of one measurement: when, what, and on which machine.

    Args:
        row: The measurement.
        machine: The machine that it was made on.
        versions: Versions of Python and of the packages that it depends on.
        comparison: The comparison that it belongs to, if any.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **row._asdict(),
        "vs": _versus(comparison) if comparison else None,
        "host": machine._asdict(),
        "versions": versions,
    }


def _versus(comparison: Comparison) -> dict[str, Any]:
    """Return the file that a row was compared with, and the ratio of the latencies."""
    ratio, other = comparison.ratio, comparison.other
    return {
        "file": other.file,
        "sha256": other.sha256,
        "ratio": ratio.value,
        "interval": [ratio.low, ratio.high],
        "conclusion": comparison.conclusion,
    }


def append(path: Path, document: dict[str, Any]) -> None:
    """Append one line to a JSONL file, whole or not at all.

    The line is one write under a lock, so that simultaneous benchmarks do not mix their lines. If
    the disk is full, the file is truncated to its old length.

    Args:
        path: The file; it and its folder are created if they do not exist.
        document: The content of the line.

    Raises:
        OSError: The folder is read-only, or the disk is full.
    """
    line = (json.dumps(document) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        size = os.fstat(descriptor).st_size
        if os.write(descriptor, line) < len(line):
            os.ftruncate(descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
    finally:
        os.close(descriptor)


def require_writable(path: Path) -> None:
    """Open a file as `append` does, and delete it again if it did not exist.

    Raises:
        OSError: The folder is read-only, or the path is not a file.
    """
    existed = path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab"):
        pass
    if not existed:
        path.unlink()


def table(rows: Sequence[Row]) -> Table:
    """Return the rows as a table; times in ms, memory in MiB, sizes in kB."""
    result = Table(
        title="Latency in ms, memory in MiB, size in kB", title_justify="left", box=SIMPLE_HEAD
    )
    for column in ("file", "dtype"):
        result.add_column(column, overflow="fold")
    for column in ("threads", "p50", "p90", "p99", "first", "load", "peak", "size", "delegated"):
        result.add_column(column, justify="right", no_wrap=True)
    result.add_column("inputs")
    for row in rows:
        result.add_row(
            escape(Path(row.file).name),
            _dtype(row),
            str(row.num_threads),
            *(significant(value) for value in (row.latency_p50_ms, row.latency_p90_ms)),
            *(significant(value) for value in (row.latency_p99_ms, row.first_ms, row.load_ms)),
            f"{row.peak_rss_mb:.0f}",
            f"{row.size_bytes / 1000:,.0f}",
            f"{row.delegated_nodes}/{row.nodes} in {row.partitions}",
            row.inputs,
        )
    return result


def _dtype(row: Row) -> str:
    """Return the type of the weights, and that of the activations if it differs."""
    same = row.dtype == row.activation_dtype
    return row.dtype if same else f"{row.dtype}, {row.activation_dtype} activations"


def significant(value: float) -> str:
    """Format a number with three significant digits, or more if its integer part has more.

    Example:
        >>> [significant(value) for value in (0.02871, 1.3, 10.0, 2801.7)]
        ['0.0287', '1.30', '10.0', '2,802']
    """
    exponent = int(f"{value:.2e}".partition("e")[2])
    return f"{value:,.{max(0, 2 - exponent)}f}"
