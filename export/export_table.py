"""The table of an export: one row for each file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnn_keras.tables import table

COLUMNS = (
    "recipe",
    "kB",
    "gzip kB",
    "top-1",
    "drop",
    "agree",
    "max |Δ|",
    "SNR dB",
    "delegated",
    "verdict",
)


def export_table(document: dict[str, Any], out: Path) -> Any:
    """Return the table of an export, with the reasons for refused files.

    Args:
        document: The content of `export.json`.
        out: Folder of the export.
    """
    images = f"{document['num_images']} {document['split']} images"
    if document["labeled"]:
        verified = f"Keras top-1 {document['files'][0]['top1_float']:.2%} on {images}"
    else:
        verified = (
            f"compared with the Keras model on {images} of {document['data']}, without labels"
        )
    rows = [_cells(row) for row in document["files"]]
    return table(COLUMNS, rows, title=f"{out}: {verified}", remarks=document["remarks"])


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of a file."""
    audit = row["audit"] or dict.fromkeys(("delegated_nodes", "nodes", "partitions"))
    delegated, nodes = (_number(audit[key], "d") for key in ("delegated_nodes", "nodes"))
    verdict = f"refused: {'; '.join(row['reasons'])}"
    if row["accepted"]:
        verdict = "; ".join(["accepted", *row["remarks"]])
    return (
        row["recipe"],
        _number(row["size_bytes"], ".1f", 1000),
        _number(row["gzip_bytes"], ".1f", 1000),
        _number(row["top1_file"], ".2%"),
        _number(row["drop_points"], "+.2f"),
        _number(row["agreement"], ".2%"),
        _number(row["max_abs_error"], ".0e"),
        _number(row["snr_db"], ".1f"),
        f"{delegated}/{nodes} in {_number(audit['partitions'], 'd')}",
        verdict,
    )


def _number(value: float | None, spec: str, unit: int = 1) -> str:
    """Format a number in a unit; a dash if it is missing."""
    return "–" if value is None else format(value if unit == 1 else value / unit, spec)
