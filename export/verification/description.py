"""The JSON document that describes a file: its audit, labels, preprocessing and problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..provenance import read_export_row, stated_recipe
from ..recipes import RECIPES, Recipe
from ..tflite import metadata
from ..tflite.flatbuffer import ModelFile
from ..tflite.interpreter import read_file
from .audit import Audit, audit_parsed, remarks
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
        "reasons": problems(found, _recipe(file, found)),
        "remarks": remarks(found),
    }


def _recipe(file: Path, audit: Audit) -> Recipe | None:
    """Return the recipe that `export.json` states for a file, or the one its types correspond to.

    Of a file that has changed since, `export.json` states nothing.
    """
    row = read_export_row(file)
    if row.get("sha256") == audit.sha256 and row.get("recipe") in RECIPES:
        return stated_recipe(row["recipe"], row)
    return RECIPES.get(audit.recipe or "")
