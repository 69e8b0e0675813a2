"""The JSON document that describes a file: its audit, labels, preprocessing and problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..recipes import RECIPES
from ..tflite import metadata
from ..tflite.flatbuffer import ModelFile
from ..tflite.interpreter import read_file
from .audit import audit_parsed, remarks
from .refusal import problems


def describe(file: Path) -> dict[str, Any]:
    """Return a file's audit, labels, preprocessing, problems and remarks as JSON types.

    Raises:
        ModelFileError: See `audit`.
    """
    parsed = ModelFile(read_file(file))
    found, about = audit_parsed(file, parsed), metadata.read(parsed)
    return {
        "file": str(file),
        **found.to_dict(),
        "labels": about.labels if about else None,
        "preprocessing": about.preprocessing if about else None,
        "reasons": problems(found, RECIPES.get(found.recipe or "")),
        "remarks": remarks(found),
    }
