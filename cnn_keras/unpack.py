"""Trained networks of the package as run folders, which are unpacked into the user's cache."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from . import __version__, zoo
from .command import new_folder, start_keras
from .errors import Error
from .model_files.keras_file import save_model
from .trained.table import DESCRIPTION, TRAINED, TrainedNetwork, find, is_name


def run_path(source: Path) -> Path:
    """Return the run folder that an argument of a command stands for.

    Args:
        source: Path of a run folder, or the name NETWORK:DATA of a trained network.

    Returns:
        The path itself, or the folder of the trained network in the cache.

    Raises:
        UsageError: There is no such trained network.
        Error: See `unpack`.
    """
    return unpack(find(str(source))) if is_name(source) else source


def unpack(trained: TrainedNetwork) -> Path:
    """Return the run folder of a trained network, which is written if it is not in the cache.

    Raises:
        Error: Its weights are damaged, or the cache cannot be written.
    """
    # Another version may build the network differently.
    key = hashlib.sha256(f"{__version__} {trained.fingerprint()}".encode()).hexdigest()[:16]
    out = cache_folder() / "trained" / key / trained.folder.name
    if (out / "model.keras").is_file():
        return out
    start_keras()
    model = zoo.build(trained.network, weights=trained.data)
    try:
        shutil.rmtree(out, ignore_errors=True)  # incomplete: somebody has deleted its model
        with new_folder(out) as folder:
            for name in DESCRIPTION:
                shutil.copy(trained.folder / name, folder)
            save_model(model, folder / "model.keras")
    except OSError as error:
        if (out / "model.keras").is_file():  # another process was faster
            return out
        raise Error(
            f"{trained.name} cannot be unpacked into {out} ({error.strerror}): name a folder that "
            "can be written in XDG_CACHE_HOME."
        ) from error
    return out


def trained_name(path: Path) -> str | None:
    """Return the name of the trained network that was unpacked into a run folder, if one was."""
    path = path.resolve()
    if path.parents[1:2] != ((cache_folder() / "trained").resolve(),):
        return None
    return next((row.name for row in TRAINED.values() if row.folder.name == path.name), None)


def cache_folder() -> Path:
    """Return the folder of this package in the user's cache.

    Reference:
        XDG Base Directory Specification: a relative path in XDG_CACHE_HOME is ignored.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (base if base.is_absolute() else Path.home() / ".cache") / "cnn-keras"
