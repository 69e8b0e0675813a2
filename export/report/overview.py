"""The table at the head of the report: each network in one row, and where it comes from."""

from __future__ import annotations

from collections.abc import Sequence

from cnn_keras.report.formatting import DASH, keep_units, plural
from cnn_keras.tables import significant

from .facts import Entry, accuracy

HEADINGS = (
    "network",
    "origin",
    "training",
    "test accuracy (95 % interval)",
    "smallest file",
    "fastest file",
)


def cells(entry: Entry) -> list[str]:
    """Return the row of a network: a text for each of `HEADINGS`."""
    epochs = plural(len(entry.run.history), "epoch")
    texts = (
        entry.name,
        entry.origin,
        f"{epochs} of {plural(entry.run.metrics['num_train_images'], 'image')}",
        accuracy(entry),
        _smallest(entry),
        _fastest(entry),
    )
    return [keep_units(text) for text in texts]


def _smallest(entry: Entry) -> str:
    if entry.smallest is None:
        return DASH
    return f"{entry.smallest['recipe']}, {entry.smallest['size_bytes'] / 1000:,.1f} kB"


def _fastest(entry: Entry) -> str:
    if entry.fastest is None:
        return DASH
    file, row = entry.fastest
    latency = f"{significant(row['latency_p50_ms'])} ms"
    return f"{file['recipe']}, {latency} with {plural(row['num_threads'], 'thread')}"


def explanation(entries: Sequence[Entry]) -> str:
    """Explain the origins of the networks."""
    text = "A network that is trained now was trained by the command that made this report."
    if any(entry.is_shipped for entry in entries):
        text += (
            " A network from the package was trained before and came with cnn-keras; the command "
            "only exported and measured it."
        )
    return text
