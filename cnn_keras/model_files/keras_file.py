"""Load and save Keras model files: `.keras` and `.h5`."""

from __future__ import annotations

import importlib
import os
import re
import sys
import warnings
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from ..data.downloads import require_downloaded
from ..errors import Error, keras_reason
from . import keras2
from .precision import in_float32
from .valid_names import rename_layers

if TYPE_CHECKING:
    import keras

# Keras' messages about an unknown class, for `.keras` and `.h5` files.
_UNKNOWN = re.compile(r"(?:Could not locate (?:class|function)|Unknown \w+:) '([^']+)'")


def load_model(path: Path, *, compiled: bool = False) -> keras.Model:
    """Load a Keras model file; without its optimizer, in float32.

    Args:
        path: A `.keras` or `.h5` file of Keras 3 or Keras 2.
        compiled: Also restore the optimizer, to resume a training.

    Raises:
        Error: The file does not exist, is broken, or needs layers that Keras does not know.
        Keras2Error: Keras 2 wrote it, and Keras 3 cannot load it.
    """
    import h5py
    import keras

    if not path.is_file():
        raise Error(f"No such model: {path}.")
    require_downloaded(path)
    version = keras2.keras2_version(path)
    try:
        # Keras chooses the format by the name, which may be wrong.
        plain = keras2.symlink_as(path, "model.h5" if h5py.is_hdf5(path) else "model.keras")
        with (
            keras2.converted_copy(path) if version else plain as readable,
            warnings.catch_warnings(),
        ):
            if version:  # about renamed arguments, which a user cannot change
                warnings.simplefilter("ignore")
            model = keras.saving.load_model(readable, compile=compiled)
    except Exception as error:  # of zipfile, json, h5py or Keras
        raise _load_error(path, error, version) from error
    if compiled:
        return model
    rename_layers(model)
    return in_float32(model)


def _load_error(path: Path, error: Exception, version: str | None) -> Error:
    """Return the error for a model file that Keras cannot load.

    Args:
        path: The file.
        error: What Keras raised.
        version: Version of Keras 2 that wrote the file; None for Keras 3.
    """
    import h5py
    import keras

    missing = _UNKNOWN.search(str(error))
    if keras2.has_weights_only(path):
        return Error(
            f"{path} has weights only, and no network: load them into their network and save that "
            "as .keras, or give them to a name of keras.applications as --weights."
        )
    if not version and h5py.is_hdf5(path) and (operations := _operations(path)):
        return Error(
            f"{path} has {operations[0]}, an operation of keras.ops, which Keras does not load "
            "from HDF5: save the model as .keras."
        )
    if missing and (advice := keras2.TFMOT_WRAPPERS.get(missing[1])):
        return Error(
            f"{path} has {missing[1]}, with which tensorflow_model_optimization wraps layers: "
            f"{advice}."
        )
    if missing and not hasattr(keras.layers, missing[1]):
        return Error(
            f"{path} needs '{missing[1]}', which is not a class of Keras: name the module that "
            "defines it with --modules."
        )
    if "`Lambda`" in str(error):
        return Error(
            f"{path} has a Lambda layer, which is code, and no code in a file is run: write it as "
            "a class, save the model with that, and name its module with --modules."
        )
    reason, details = keras_reason(error), str(error)
    if version:
        reason = f"it does not find {missing[1]}" if missing else reason
        return keras2.Keras2Error(
            f"{path} was written by Keras {version}, and Keras 3 cannot load it ({reason}): "
            "pip install '.[aware]' for tf_keras, which can, or save it as a SavedModel where "
            "it was made.",
            details=details,
        )
    if not zipfile.is_zipfile(path) and not h5py.is_hdf5(path):
        reason = "it is neither a zip archive, as .keras files are, nor HDF5; is it truncated?"
        details = reason
    return Error(f"{path} cannot be loaded as a Keras model: {reason}", details=details)


def _operations(path: Path) -> list[str]:
    """Return the operations of `keras.ops` in an HDF5 file, which Keras mistakes for layers."""
    import keras

    kinds = {
        kind.__name__
        for kind in keras.Operation.__subclasses__()
        if kind.__module__.startswith("keras.src.ops.")
    }
    # A layer of the same name, such as Subtract, has a dtype in its configuration.
    return [
        name
        for name, config in keras2.configured_layers(path)
        if name in kinds and "dtype" not in config
    ]


def save_model(model: keras.Model, path: Path, comment: str = "") -> None:
    """Write a `.keras` file atomically: it is complete or unchanged.

    Args:
        model: The model, saved with its optimizer if it is compiled.
        path: The file.
        comment: Comment of the zip archive, in ASCII.

    Raises:
        OSError: The disk is full, or the folder is read-only.
    """
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        model.save(temporary)
        if comment:
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.comment = comment.encode("ascii")
        with temporary.open("rb") as file:
            os.fsync(file.fileno())  # complete also after a power failure
        temporary.replace(path)
    except OSError as error:
        error.filename = path  # the error of a full disk does not name the file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def import_custom_objects(name: str) -> None:
    """Import a module and register its classes and functions with Keras.

    Args:
        name: Name of the module, on Python's path or in the current folder.

    Raises:
        Error: It does not exist, or raises an error.
    """
    import keras

    if (current := str(Path.cwd())) not in sys.path:
        sys.path.append(current)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # the user's code may raise anything
        raise Error(
            f"The module {name}, which the model needs, cannot be imported: {error!r}. Run the "
            "command in its folder, or add that folder to PYTHONPATH."
        ) from error
    defined = {
        key: value
        for key, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    }
    keras.saving.get_custom_objects().update(defined)
