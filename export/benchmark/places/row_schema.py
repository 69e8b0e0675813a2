"""The JSON Schema of a measurement, which every place and the Android app fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def schema() -> dict[str, Any]:
    """Return the JSON Schema of one line of a JSONL file of measurements."""
    text = Path(__file__).parents[1].joinpath("row.schema.json").read_text(encoding="utf-8")
    result: dict[str, Any] = json.loads(text)
    return result
