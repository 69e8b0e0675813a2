"""Which run and which network a `.tflite` file comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cnn_keras.trained.table import TRAINED

from .recipes import Recipe, recipe

EXPORT_JSON = "export.json"

_LRN_BY_NAME = ".*lrn.*"
"""The `float_layers` of all files of version 0.1.0, whether or not they have such layers."""


def read_export_row(file: Path) -> dict[str, Any]:
    """Return the row of a file in the `export.json` beside it, with the keys `run` and `model`.

    Returns:
        The row; an empty dict if there is no valid `export.json`.
    """
    try:
        document = json.loads((file.parent / EXPORT_JSON).read_bytes())
        rows = [row for row in document.get("files", []) if row["file"] == file.name]
        return {**(rows[0] if rows else {}), "run": document["run"], "model": document.get("model")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def find_run(file: Path) -> Path | None:
    """Return the run that the `export.json` beside a file names, if it exists.

    Returns:
        The run folder, or the name of a trained network, as `Run.open` takes them.
    """
    run = read_export_row(file).get("run")
    if isinstance(run, str) and run in TRAINED:
        return Path(run)
    # Relative to the export's folder, or edited by hand and relative to the working directory.
    candidates = [file.parent / run, Path(run)] if isinstance(run, str) else []
    return next((path for path in candidates if path.is_dir()), None)


def stated_recipe(name: str, row: Mapping[str, Any]) -> Recipe:
    """Return a recipe with the layers that `export.json` states for a file in other types.

    Args:
        name: Name of the recipe.
        row: The row of the file; it is ignored if it is of another recipe.

    Raises:
        UsageError: No recipe has that name.
    """
    found, float_layers = recipe(name), row.get("float_layers")
    if name != row.get("recipe") or float_layers == _LRN_BY_NAME:
        return found
    if int4_layers := row.get("int4_layers"):
        found = found.with_int4_layers(int4_layers)
    return found._replace(float_layers=float_layers)


def same_network(file: str, other: str) -> bool:
    """Return whether two files that LiteRT has run hold the same network.

    They do if their names and the shapes of their weights are equal, and their runs where these are
    known.
    """
    from .tflite.flatbuffer import weight_shapes
    from .tflite.metadata import read_name

    runs = {run.resolve() for each in (file, other) if (run := find_run(Path(each)))}
    return len(runs) < 2 and all(read(file) == read(other) for read in (read_name, weight_shapes))
