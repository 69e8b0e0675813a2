"""The folder that is published: the run folder without what only a training needs."""

from __future__ import annotations

import shutil
from pathlib import Path

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.config import public_config
from cnn_keras.training.run_folder import Run, new_run, to_json

from . import origin
from .card_file import CARD, files_hash, read_card_file
from .exported_files import ExportedFiles

FILES = (CARD, "preprocessing.json", "labels.txt", "metrics.json", "history.csv", "lighting.json")


def require_current_card(run: Run, exported: ExportedFiles | None) -> None:
    """Check that a run has a card, and that it was made from its files.

    Raises:
        Error: It has none, or the files have changed since.
    """
    card = read_card_file(run)
    if card is None:
        raise Error(f"{run.path} has no card: write one with `cnn-keras card {run.path}`.")
    if card.files is None or card.files == files_hash(run, exported):
        return
    remedy = "write it again with `cnn-keras card`, and give both commands the same --files"
    if card.is_edited:
        remedy += "; --overwrite replaces your edits, and without its last line it is not checked"
    raise Error(f"{run.path / CARD} was made from other files: {remedy}.")


def write_published_folder(run: Run, exported: ExportedFiles | None, out: Path) -> list[str]:
    """Write the folder that is published.

    Args:
        run: The run.
        exported: Its exported files.
        out: The folder, which must not exist or be empty.

    Returns:
        The paths of its files, relative to the folder, in order.

    Raises:
        UsageError: The folder has files.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(f"{out} exists and is not empty: choose another --out, or delete it.")
    with new_run(out) as folder:
        _write(run, exported, folder.path)
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


def _write(run: Run, exported: ExportedFiles | None, out: Path) -> None:
    if run.is_saved_model:
        shutil.copytree(run.path / "saved_model", out / "saved_model")
    else:
        shutil.copy(run.path / "model.keras", out)
    for name in FILES:
        if (run.path / name).is_file():
            shutil.copy(run.path / name, out)
    (out / "config.json").write_text(to_json(public_config(run.config)), encoding="utf-8")
    if origin.kind_of(run) in ("training", "ensemble"):
        (out / origin.RECIPE_FILE).write_text(origin.recipe_text(run), encoding="utf-8")
    for path in exported.paths if exported else ():
        shutil.copy(path, out)
