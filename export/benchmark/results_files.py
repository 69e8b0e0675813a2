"""JSONL files of `cnn-keras benchmark`, read and checked against the schema of a row."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.errors import MAX_REASON, Error, UsageError, first_line

from .places.row_schema import schema
from .results import LOCAL

_ABSENT_IN_0_1_0 = {
    "place": LOCAL,
    "runtime": "LiteRT",
    "runtime_version": None,
    "threads_used": None,
    "delegate_used": None,
    "digest": None,
    "untrained": False,
}
"""The keys that rows of version 0.1.0 lack, with their values."""

_MAX_INTEGER = 2**53  # the largest that JavaScript represents exactly


class Result(NamedTuple):
    """One line of a JSONL file.

    Attributes:
        path: The file.
        row: A row that fits the schema of version 0.2.0, also if it is of version 0.1.0.
    """

    path: Path
    row: dict[str, Any]


def read_results(paths: Sequence[Path]) -> tuple[list[Result], int]:
    """Read the measurements of JSONL files.

    Keys that the schema does not have are left, so that later versions can add some.

    Args:
        paths: The files.

    Returns:
        The measurements without duplicates, in the order of the files, and the number of
        duplicates, as when a file is a copy of another one.

    Raises:
        UsageError: There is no file, or one is a folder.
        Error: A file cannot be read, a line is not a measurement, or there are no measurements.
    """
    from jsonschema import Draft202012Validator

    if not paths:
        raise UsageError("Name at least one JSONL file of cnn-keras benchmark.")
    validator = Draft202012Validator(_reading_schema())
    found: dict[str, Result] = {}
    lines = 0
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path} is a folder: name a JSONL file, such as benchmarks.jsonl.")
        for number, line in enumerate(_lines(path), start=1):
            if line.strip():
                lines += 1
                row = _parsed(line, validator, f"{path}, line {number}")
                found.setdefault(json.dumps(row, sort_keys=True), Result(path, row))
    if not found:
        raise Error(f"No measurements in {', '.join(map(str, paths))}.")
    return [*found.values()], lines - len(found)


def _lines(path: Path) -> list[str]:
    try:
        # Not `splitlines`: JSON strings may contain U+2028.
        return path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError:
        raise Error(f"{path} is not a JSONL file: it is not UTF-8.") from None


def _parsed(line: str, validator: Any, where: str) -> dict[str, Any]:
    """Return the row of a line.

    Raises:
        Error: The line is not JSON, or not a measurement.
    """
    from jsonschema.exceptions import best_match

    try:
        row = json.loads(
            line, parse_int=_integer, parse_float=_finite, parse_constant=_refused_constant
        )
        error = best_match(validator.iter_errors(row))
    except (ValueError, RecursionError) as broken:
        raise _not_a_measurement(where, first_line(broken)) from None
    if error is not None:
        key = "".join(f"{part}: " for part in error.absolute_path)
        raise _not_a_measurement(where, f"{key}{error.message}")
    version = row["versions"].get("ai-edge-litert")
    result: dict[str, Any] = _ABSENT_IN_0_1_0 | {"runtime_version": version} | row
    return result


def _not_a_measurement(where: str, reason: str) -> Error:
    short = textwrap.shorten(reason, MAX_REASON, placeholder=" …")
    return Error(
        f"{where} is not a measurement of cnn-keras benchmark ({short}): restore or delete it."
    )


def _integer(text: str) -> int:
    value = int(text)
    if abs(value) > _MAX_INTEGER:
        raise ValueError(f"{text[:20]}… is out of range")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text[:20]} is out of range")
    return value


def _refused_constant(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


def _reading_schema() -> dict[str, Any]:
    """Return the schema of a row that may lack the later keys, and have more.

    References are resolved, which makes the validation of 10,000 rows twice as fast.
    """
    document = schema()

    def resolved(node: Any) -> Any:
        if isinstance(node, list):
            return [resolved(each) for each in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return resolved(document["$defs"][node["$ref"].rpartition("/")[2]])
        return {
            key: resolved(value)
            for key, value in node.items()
            if key not in ("$defs", "$schema") and (key, value) != ("additionalProperties", False)
        }

    result: dict[str, Any] = resolved(document)
    result["required"] = [key for key in result["required"] if key not in _ABSENT_IN_0_1_0]
    return result
