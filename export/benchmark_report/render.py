"""The report as one HTML page, which fetches nothing."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2.utils import htmlsafe_json_dumps
from markupsafe import Markup

from cnn_keras import __version__
from cnn_keras.report.formatting import plural
from cnn_keras.report.templates import html_environment

from .measurements import Measurement
from .table import COLUMNS

_FOLDER = Path(__file__).parent / "page"
_SCRIPTS = ("data", "filters", "figure", "trade_off", "history", "table", "main")
_NOT_SHOWN = ("load_average",)  # of a host: it differs between rows of one machine
_DETAILS = ("versions", "host", "digest")


def render_html(
    found: Sequence[tuple[Measurement, Mapping[str, Any]]], sources: Sequence[Path], command: str
) -> str:
    """Return the report as one HTML page without external resources.

    Args:
        found: The measurements, each with its row.
        sources: The JSONL files.
        command: The command line that makes the page.
    """
    script = "\n".join((_FOLDER / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    return (
        html_environment(_FOLDER)
        .get_template("page.html.j2")
        .render(
            version=__version__,
            summary=summary([each for each, _ in found]),
            columns=COLUMNS,
            sources=sources,
            command=command,
            data=htmlsafe_json_dumps(page_data(found), separators=(",", ":"), allow_nan=False),
            # Browsers run no other script, even if a name in the data were not escaped.
            script=Markup(script),
            script_hash=b64encode(hashlib.sha256(f"\n{script}\n".encode()).digest()).decode(),
        )
    )


def summary(found: Sequence[Measurement]) -> str:
    """Return how much was measured, where and when, as a sentence.

    Args:
        found: Measurements, oldest first.
    """
    counts = (
        (len(found), "measurement"),
        (len({each.sha256 for each in found}), "file"),
        (len({(each.place, each.host) for each in found}), "host"),
    )
    measured, files, hosts = (plural(number, noun) for number, noun in counts)
    first, last = found[0].time[:10], found[-1].time[:10]
    dates = f"on {first}" if first == last else f"from {first} to {last}"
    return f"{measured} of {files} on {hosts}, {dates}."


def page_data(found: Sequence[tuple[Measurement, Mapping[str, Any]]]) -> dict[str, Any]:
    """Return the measurements by field, for the script of the page.

    Texts repeat, so that a field of texts has its distinct `values` and the index of one for each
    measurement in `codes`. The same holds for the details of a row, which are tables.
    """
    fields: dict[str, Any] = {}
    for index, name in enumerate(Measurement._fields):
        values = [each[index] for each, _ in found]
        texts = any(isinstance(value, str) for value in values)
        fields[name] = _encoded(values) if texts else values
    details = [
        {name: _without(row[name]) for name in _DETAILS if row[name] is not None}
        for _, row in found
    ]
    return {
        "count": len(found),
        "order": Measurement._fields,
        "columns": [column._asdict() for column in COLUMNS],
        "fields": fields,
        "details": {name: _encoded([detail.get(name) for detail in details]) for name in _DETAILS},
    }


def _without(table: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if key not in _NOT_SHOWN}


def _encoded(values: Sequence[Any]) -> dict[str, list[Any]]:
    """Return distinct values, in the order of their text, and the index of each value."""
    keys = [json.dumps(value, sort_keys=True) for value in values]
    distinct = dict(zip(keys, values, strict=True))
    order = sorted(distinct, key=lambda key: (distinct[key] is None, key))
    index = {key: number for number, key in enumerate(order)}
    return {"values": [distinct[key] for key in order], "codes": [index[key] for key in keys]}
