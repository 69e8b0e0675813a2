"""The table of an export: one row a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnn_keras.tables import table


def export_table(document: dict[str, Any], out: Path) -> Any:
    """Return the table of an export: one row a file, refused ones with their reasons."""
    lines = []
    for row in document["files"]:
        audit = row["audit"] or dict.fromkeys(("delegated_nodes", "nodes", "partitions"))
        delegated, nodes = (number(audit[key], "d") for key in ("delegated_nodes", "nodes"))
        lines.append(
            (
                row["recipe"],
                number(row["size_bytes"], ".1f", 1000),
                number(row["gzip_bytes"], ".1f", 1000),
                number(row["top1_file"], ".2%"),
                number(row["drop_points"], "+.2f"),
                number(row["agreement"], ".2%"),
                number(row["max_abs_error"], ".0e"),
                number(row["snr_db"], ".1f"),
                f"{delegated}/{nodes} in {number(audit['partitions'], 'd')}",
                "; ".join(["accepted", *row["remarks"]])
                if row["accepted"]
                else f"refused: {'; '.join(row['reasons'])}",
            )
        )
    columns = (
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
    images = f"{document['num_images']} {document['split']} images"
    judged = f"held against the Keras model on {images} of {document['data']}, without labels"
    if document["labeled"]:
        judged = f"Keras top-1 {document['files'][0]['top1_float']:.2%} on {images}"
    title = f"{out}: {judged}"
    return table(columns, lines, title=title, remarks=document["remarks"])


def number(value: float | None, spec: str, unit: int = 1) -> str:
    """Format a number that may be missing, in so many units."""
    return "–" if value is None else format(value if unit == 1 else value / unit, spec)
