"""The models of this clone's Android app."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cnn_keras.command import log, write_atomic
from cnn_keras.errors import UsageError

APP = Path(__file__).resolve().parents[1] / "android_demo"
RECIPES = ("float32", "static_wi8_ai8")
"""Recipes whose files are added by default."""


def models_folder(app: Path) -> Path:
    """Return the folder of the app's models.

    Args:
        app: `android_demo/` of a clone.

    Raises:
        UsageError: There is no app.
    """
    main = app / "app/src/main"
    if not main.is_dir():
        raise UsageError(f"No Android app in {app}: --android needs a clone of cnn-keras.")
    return main / "assets/models"


def update_models(
    models: Path, document: dict[str, Any], file_names: Sequence[str], out: Path
) -> None:
    """Copy the accepted files of an export into the app, which lists all models in its folder.

    A model from an earlier export is removed if the file of the same name is refused now.

    Args:
        models: The folder from `models_folder`.
        document: The document that `export` returned.
        file_names: Names of the files, accepted or not, in the order of the document.
        out: Folder of the export.
    """
    for row, name in zip(document["files"], file_names, strict=True):
        copy = models / name
        if row["accepted"]:
            write_atomic(copy, (out / name).read_bytes())
            log(f"added to the app: {copy}")
        elif copy.is_file():
            copy.unlink()
            log(f"removed from the app, because it is refused: {copy}")
