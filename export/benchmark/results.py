"""Measurements as a table and as lines of a JSONL file."""

from __future__ import annotations

import errno
import fcntl
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from cnn_keras import __version__
from cnn_keras.tables import escape, significant

from .places.digest import Digest, Rule
from .places.place import Job, Measured
from .runner import Row
from .stability import THROTTLED

LOCAL = "local"
MAX_LOAD = 0.1  # of the processors, by other programs, that is not worth a remark
MACHINE = ("cpu", "architecture", "cores")  # what two rows of one machine share
UNKNOWN = "–"
FILE_NAME = "benchmarks.jsonl"  # beside the measured file, so that it moves with the export


def record(
    job: Job,
    place: str,
    measured: Measured,
    digest: Digest,
    vs: dict[str, Any] | None = None,
    untrained: bool = False,
) -> dict[str, Any]:
    """Return the document of one measurement, which fits the `row_schema`.

    Args:
        job: What was to be measured.
        place: Name of the place where it was.
        measured: What was measured there.
        digest: How the outputs there compare with those here.
        vs: The file that it was timed alternately with, see `Comparison.versus`; None for a file
            that was timed alone.
        untrained: Whether the network is not trained.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        **{name: measured.row.get(name) for name in Row._fields},
        **job.known_row(),
        "place": place,
        "runtime": measured.runtime,
        "runtime_version": measured.runtime_version,
        "delegate_used": measured.delegate_used,
        "digest": digest._asdict(),
        "untrained": untrained,
        "vs": vs,
        "host": measured.host,
        "versions": measured.versions | {"cnn-keras": __version__},
        **measured.extra,
    }


def of_latest_machine(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of the place and machine of the last row: others do not compare."""
    return [row for row in rows if _machine(row) == _machine(rows[-1])]


def _machine(row: dict[str, Any]) -> tuple[object, ...]:
    return row.get("place", LOCAL), *(row["host"].get(key) for key in MACHINE)


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


def table(rows: Sequence[dict[str, Any]]) -> Table:
    """Return documents as a table; times in ms, memory in MiB, sizes in kB.

    The place is a column if there is another than this machine.
    """
    result = Table(
        title="Latency in ms, memory in MiB, size in kB", title_justify="left", box=SIMPLE_HEAD
    )
    elsewhere = any(row["place"] != LOCAL for row in rows)
    for column in ("file", "dtype", *(["place"] if elsewhere else [])):
        result.add_column(column, overflow="fold")
    for column in ("threads", "p50", "p90", "p99", "first", "load", "peak", "size", "delegated"):
        result.add_column(column, justify="right", no_wrap=True)
    for column in ("inputs", *(["outputs"] if elsewhere else [])):
        result.add_column(column)
    for row in rows:
        result.add_row(
            escape(Path(row["file"]).name),
            _dtype(row),
            *([escape(row["place"])] if elsewhere else []),
            _threads(row),
            *(_cell(row[f"latency_{name}_ms"]) for name in ("p50", "p90", "p99")),
            *(_cell(row[name]) for name in ("first_ms", "load_ms")),
            _cell(row["peak_rss_mb"], "{:.0f}"),
            f"{row['size_bytes'] / 1000:,.0f}",
            _delegated(row),
            "untrained" if row["untrained"] else row["inputs"],
            *([_digest(row["digest"])] if elsewhere else []),
        )
    return result


def pair_tables(rows: Sequence[dict[str, Any]]) -> list[Table]:
    """Return the comparisons of three files or more as tables, one for each number of threads."""
    compared = [row for row in rows if row.get("versus")]
    tables = []
    for num_threads in dict.fromkeys(row["num_threads"] for row in compared):
        pairs = [
            (row["file"], versus)
            for row in compared
            if row["num_threads"] == num_threads
            for versus in row["versus"]
        ]
        title = f"Latency of each two files, {num_threads} thread{'s' * (num_threads > 1)}"
        confidence = f"{100 * pairs[0][1]['confidence']:.4g} % interval"
        result = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
        for column in ("file", "relative to"):
            result.add_column(column, overflow="fold")
        for column in ("ratio", confidence):
            result.add_column(column, justify="right", no_wrap=True)
        result.add_column("verdict")
        for file, versus in pairs:
            low, high = versus["interval"]
            result.add_row(
                *(escape(Path(each).name) for each in (file, versus["file"])),
                f"{versus['ratio']:.3f}",
                f"{low:.3f} to {high:.3f}",
                versus["verdict"],
            )
        tables.append(result)
    return tables


def _dtype(row: dict[str, Any]) -> str:
    """Return the type of the weights, and that of the activations if it differs."""
    dtype, activations = row["dtype"], row["activation_dtype"]
    return dtype if dtype == activations else f"{dtype}, {activations} activations"


def _threads(row: dict[str, Any]) -> str:
    """Return the number of threads, and that which was asked for if it differs."""
    asked, used = row["num_threads"], row["threads_used"]
    return str(asked) if used in {asked, None} else f"{used} of {asked}"


def _cell(value: float | None, form: str = "") -> str:
    if value is None:
        return UNKNOWN
    return form.format(value) if form else significant(value)


def _delegated(row: dict[str, Any]) -> str:
    if row["nodes"] is None:
        return row["delegate_used"] or UNKNOWN
    return f"{row['delegated_nodes']}/{row['nodes']} in {row['partitions']}"


def _digest(digest: dict[str, Any]) -> str:
    """Return how the outputs of a file compare with those here."""
    if digest["equal"]:
        return "equal"
    if digest["rule"] == Rule.STATIC.value:
        return "within one step"
    if digest["rule"] == Rule.DYNAMIC.value:
        return f"{digest['agreement']:.0%} agree"
    return f"within {digest['max_difference']:.0e}"


def stability_remarks(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what disturbed measurements, in words: other programs, throttling."""
    remarks = []
    shares = [row["stability"] for row in rows if "stability" in row]
    for key, who in (("other_programs_share", "Other programs"), ("steal_share", "Other machines")):
        most = max((each[key] or 0.0 for each in shares), default=0.0)
        if most > MAX_LOAD:
            remarks.append(
                f"{who} took up to {most:.0%} of the processors during a measurement: p90 and p99 "
                "include the delays."
            )
    for row in rows:
        ratio = (row.get("throttling") or {}).get("ratio") or 1.0
        name = f"{Path(row['file']).name}, {row['place']}"
        if ratio > THROTTLED:
            remarks.append(
                f"{name}: the median of the last quarter of the runs is {ratio:.2f} times that of "
                "the first; the processor may throttle, which --sustained shows."
            )
        warmup = row.get("warmup") or {}
        if warmup.get("stable") is False:
            remarks.append(
                f"{name}: the latency was not yet stable after {warmup['secs']:.1f} s of warm-up."
            )
        if sustained := row.get("sustained"):
            remarks.append(f"{name}: {_sustained(sustained)}")
    return remarks


def _sustained(sustained: dict[str, Any]) -> str:
    windows, at = sustained["windows"], sustained["throttled_at_s"]
    first, last = windows[0], windows[-1]
    heat = ""
    if last["temperature_celsius"] is not None:
        heat = f", {first['temperature_celsius']:.0f} to {last['temperature_celsius']:.0f} °C"
    took = f"{significant(first['mean_ms'])} to {significant(last['mean_ms'])} ms a run{heat}"
    if at is None:
        return f"no throttling in {last['at_s']:.0f} s ({took})."
    return f"it throttles after {at:.0f} s ({took})."
