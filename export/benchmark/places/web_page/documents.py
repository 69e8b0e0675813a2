"""What the server and the page exchange: descriptions of a measurement, outputs and rows."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from ....tflite import metadata
from ....tflite.flatbuffer import has_dynamic_batch
from ....tflite.interpreter import ModelFileError
from ..place import Job
from ..row_schema import schema
from . import litert_js
from .page import Page, RefusedAnswerError

TYPES = ("float32", "uint8", "int32")
"""Types of inputs and outputs that the documented interface of LiteRT.js takes."""


def check_row(content: bytes, expected: dict[str, Any]) -> dict[str, Any]:
    """Return the row that a page posts.

    Args:
        content: The row as JSON.
        expected: What is known of it before.

    Raises:
        RefusedAnswerError: It does not fit the schema of rows, or is that of another measurement.
    """

    def refuse_constant(name: str) -> None:
        raise RefusedAnswerError(f"{name} is not a number of JSON")

    try:
        row = json.loads(content, parse_constant=refuse_constant)
    except RefusedAnswerError:
        raise
    except (ValueError, RecursionError):
        raise RefusedAnswerError("the row is not JSON") from None
    if error := best_match(Draft202012Validator(schema()).iter_errors(row)):
        raise RefusedAnswerError(
            f"the row does not fit the schema, {error.json_path}: {error.message[:300]}"
        )
    for key, value in expected.items():
        if row[key] != value:
            raise RefusedAnswerError(
                f"the row is that of another measurement: {key} is {row[key]!r}"
            )
    found: dict[str, Any] = row
    return found


def require_size(content: bytes, size: int) -> bytes:
    """Return the outputs that a page posts.

    Raises:
        RefusedAnswerError: They have another size in bytes.
    """
    if len(content) != size:
        raise RefusedAnswerError(f"the outputs have {len(content)} bytes, not {size}")
    return content


def require_supported(job: Job) -> None:
    """Refuse what LiteRT.js does not run.

    Raises:
        ModelFileError: The input or the output has another type, or the batch is dynamic.
    """
    for end, spec in (("input", job.loaded.input), ("output", job.loaded.output)):
        if spec.dtype not in TYPES:
            raise ModelFileError(
                f"'{job.file}' has {spec.dtype} {end}, which LiteRT.js does not take: export it "
                f"with --{end}-type float32 or uint8."
            )
    if has_dynamic_batch(job.file):
        raise ModelFileError(
            f"'{job.file}' has a dynamic batch, which LiteRT.js does not take: export it with a "
            "static batch of 1."
        )


def describe_job(job: Job) -> dict[str, Any]:
    """Return what the page needs to run the file and to classify images."""
    try:
        found = metadata.read(job.file.read_bytes())
    except ModelFileError:  # damaged metadata; the graph runs
        found = None
    return {
        "name": job.file.stem,
        "sha256": job.sha256,
        "size_bytes": job.file.stat().st_size,
        "dtype": job.loaded.dtype,
        "threads": job.num_threads,
        "input": job.loaded.input._asdict(),
        "output": job.loaded.output._asdict(),
        "labels": found.labels if found else (),
        "preprocessing": found.preprocessing if found else None,
        "drawing": found.drawing if found else None,
    }


def known_row(job: Job, page: Page) -> dict[str, Any]:
    """Return the part of a row that is known before the measurement."""
    version = litert_js.version()
    unknown = ("quantize_p50_ms", "rss_before_load_mb", "peak_rss_mb", "nodes", "delegated_nodes")
    return {
        **job.known_row(),
        "file": job.file.name,
        **dict.fromkeys((*unknown, "partitions", "digest", "vs")),
        "place": page.name,
        "runtime": "LiteRT.js",
        "runtime_version": version,
        "untrained": False,  # the command knows
        "host": page.host,
        "versions": {"@litertjs/core": version},
    }
