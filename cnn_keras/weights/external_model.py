"""Loading of external models: Keras files, SavedModel folders, networks of keras.applications."""

from __future__ import annotations

import inspect
import math
import sys
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..command import log, quiet
from ..errors import Error, UsageError, keras_reason, unknown
from ..model_files import keras2, saved_model
from ..model_files.keras_file import import_custom_objects, load_model
from ..model_files.layer_weights import HDF5_SUFFIXES, TORCH_SUFFIXES
from ..model_files.valid_names import scope_name
from ..trained.table import is_name
from ..training.run_folder import Run
from .keras_applications import KERAS
from .normalization import (
    IDENTITY,
    Normalization,
    RescaledRange,
    expects_uint8_range,
    infer_normalization,
    rescaled_range,
)
from .source_options import SourceOptions

if TYPE_CHECKING:
    import keras

MODEL_SUFFIXES = (".keras", *HDF5_SUFFIXES)

# What to do with files of other kinds, by their suffixes.
_HINTS = {
    ".tflite": "verify, audit and benchmark take .tflite files",
    ".pb": "of a SavedModel, give the folder",
    ".weights.h5": "load these weights into their network, and save that as .keras",
    **dict.fromkeys(TORCH_SUFFIXES, "import-weights makes a run folder of torchvision's weights"),
}


class ExternalModel(NamedTuple):
    """An external model as it was loaded.

    Attributes:
        model: The Keras model.
        normalization: The normalization that it implies, if it does.
        rescaled: See `normalization.rescaled_range`; None if its layers cannot be inspected.
    """

    model: keras.Model
    normalization: Normalization | None
    rescaled: RescaledRange | None


def is_model_file(path: Path) -> bool:
    """Return whether a file is a Keras model, by its suffix."""
    return path.suffix.lower() in MODEL_SUFFIXES


def require_model_source(source: Path) -> None:
    """Check that the name of a file does not show another kind than a Keras model.

    Raises:
        UsageError: It does.
    """
    if source.is_dir():
        return
    name = source.name.lower()
    hints = [hint for suffix, hint in _HINTS.items() if name.endswith(suffix)]
    if hints or (source.exists() and not is_model_file(source)):
        raise UsageError(
            f"export does not take {source}, but a run folder, a .keras, .h5 or .hdf5 file, a "
            f"SavedModel folder, or a name of keras.applications{'; '.join(['', *hints])}."
        )


def is_external(source: Path) -> bool:
    """Return whether a path is an external model rather than a run folder or a file in one.

    A plain name that does not exist as a path may be a network of keras.applications. NETWORK:DATA
    is not one, but a trained network of the package, which becomes a run folder.
    """
    if is_name(source):
        return False
    if source.is_dir():
        return saved_model.is_saved_model(source)
    if is_model_file(source):
        return not Run(source.parent).has_description
    return not source.exists() and source.name == str(source)


def load(source: Path, options: SourceOptions, name: str) -> ExternalModel:
    """Load an external model.

    Args:
        source: File, SavedModel folder, or name of keras.applications.
        options: Its modules, weights and image size.
        name: Name for a model that is built around a SavedModel.

    Raises:
        UsageError: The name is unknown, or an option does not fit.
        Error: The model cannot be loaded.
    """
    rescaled = None
    if saved_model.is_saved_model(source):
        model = saved_model.load(source, name)
    elif not is_model_file(source):
        model, normalization = _load_application(name, options)
        return ExternalModel(model, normalization, rescaled_range(model))
    else:
        for module in options.modules:
            import_custom_objects(module)
        try:
            model = load_model(source)
            rescaled = rescaled_range(model)
        except keras2.Keras2Error as error:
            model, rescaled = _load_through_tf_keras(source, name, error)
    takes_uint8_range = rescaled is not None and expects_uint8_range(rescaled)
    is_known = takes_uint8_range or input_dtype(model) == "uint8"
    return ExternalModel(model, IDENTITY if is_known else None, rescaled)


def _load_through_tf_keras(
    source: Path, name: str, reason: keras2.Keras2Error
) -> tuple[keras.Model, RescaledRange | None]:
    """Load a file that Keras 3 cannot read as a SavedModel that tf_keras writes."""
    with tempfile.TemporaryDirectory() as folder:
        with quiet(1, 2):  # TensorFlow prints what assets it writes
            rescaled = rescaled_range(keras2.to_saved_model(source, Path(folder), reason))
        model = saved_model.load(Path(folder), name)
    log(f"{source}: loaded by tf_keras as a SavedModel, whose layers cannot be trained")
    return model, rescaled


def _load_application(name: str, options: SourceOptions) -> tuple[keras.Model, Normalization]:
    """Build a network of keras.applications with its weights."""
    import keras

    networks = dict(inspect.getmembers(keras.applications, inspect.isfunction))
    if name not in networks:
        raise unknown("run folder, model or network of keras.applications", name, networks)
    build = networks[name]
    size, file = options.image_size, options.weights
    arguments: dict[str, Any] = {"input_shape": (size, size, 3)} if size else {}
    try:
        if file:
            arguments["classes"] = _num_classes(build(weights=None, **arguments), file)
        readable = keras2.symlink_as(file, file.name.lower()) if file else nullcontext("imagenet")
        # Keras prints the progress of its download on stdout.
        with redirect_stdout(sys.stderr), readable as weights:
            model = build(weights=str(weights), **arguments)
    except Error:
        raise
    except Exception as error:
        reason, details = keras_reason(error), str(error)
        if file:
            raise Error(f"{file} does not fit {name}: {reason}", details=details) from error
        if isinstance(error, ValueError):  # another size than that of ImageNet's weights
            raise UsageError(f"{name} cannot be built: {reason}", details=details) from error
        raise Error(
            f"The weights of {name} cannot be downloaded ({reason}): name a file of them with "
            "--weights.",
            details=details,
        ) from error
    return model, infer_normalization(sys.modules[build.__module__].preprocess_input)


def _num_classes(model: keras.Model, path: Path) -> int:
    """Return the number of classes of a file of weights, by the bias of its classifier."""
    *_, classifier = (layer for layer in model.layers if layer.weights)
    bias = KERAS.read(path).get(f"{classifier.name}/bias")
    return model.output_shape[-1] if bias is None else len(bias)


def input_dtype(model: keras.Model) -> str:
    """Return the dtype of a model's images, as numpy names it."""
    inputs = getattr(model, "inputs", None)
    return str(inputs[0].dtype) if inputs else "float32"


def image_shape(model: keras.Model, source: Path, size: int | None) -> tuple[int, int, int]:
    """Return the height, width and channels of a model's images.

    Args:
        model: The model.
        source: File, folder or name of the model, for messages.
        size: Height and width for a model that accepts any.

    Raises:
        UsageError: The model does not take one gray or RGB image, or another size.
    """
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or ()]
    if not shapes:  # a custom class, which stores the shape it was built for
        shapes = [tuple((model.get_build_config() or {}).get("input_shape") or ())]
    if shapes == [()]:
        raise UsageError(
            f"{source} is not built, so its input shape is unknown: give it a "
            "keras.Input((height, width, channels)) as its first layer and save it again."
        )
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] not in (1, 3):
        raise UsageError(
            f"{source} takes {', '.join(map(str, shapes))}; expected one image "
            f"(None, height, width, channels), gray or RGB.{_reshape_advice(shapes)}"
        )
    _, height, width, channels = shapes[0]
    if None in (height, width):
        if size is None:
            raise UsageError(f"{source} takes images of any size: choose one with --image-size.")
        return (height or size, width or size, channels)
    if size not in (None, height, width):
        raise UsageError(f"{source} takes images of {height}×{width}: leave --image-size out.")
    return (height, width, channels)


def _reshape_advice(shapes: Sequence[tuple[int | None, ...]]) -> str:
    """Return how to wrap a model of gray images without channels, or of rows of pixels.

    Args:
        shapes: Shapes of its inputs.
    """
    image: tuple[int | None, ...]
    match shapes:
        case [(_, int(height), int(width))]:
            image = height, width, 1
        case [(_, int(length))] if math.isqrt(length) ** 2 == length:
            image = math.isqrt(length), math.isqrt(length), 1
        case _:
            return ""
    return (
        f" Save it as keras.Sequential([keras.Input({image}), "
        f"keras.layers.Reshape({shapes[0][1:]}), model])."
    )


def with_single_tensors(
    model: keras.Model, shape: tuple[int, int, int], source: Path
) -> keras.Model:
    """Return a functional model from one tensor to one, if the model takes or gives lists or dicts.

    Raises:
        UsageError: The model does not give one row of class scores.
    """
    import keras

    inputs = getattr(model, "inputs", None)
    image = inputs[0] if inputs else keras.Input(shape, name="image")
    outputs = model.outputs if inputs else keras.tree.flatten(model(image))
    shapes = [tuple(tensor.shape) for tensor in outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        raise UsageError(
            f"{source} gives {', '.join(map(str, shapes))}; expected one row of class scores "
            "(None, num_classes)."
        )
    return keras.Model(image, outputs[0], name=model.name)


def with_rgb_batches(
    model: keras.Model, shape: tuple[int, int, int], is_bgr: bool, name: str
) -> keras.Model:
    """Return a model that takes batches of any size, of fixed image size, in the order RGB."""
    import keras

    if model.input_shape == (None, *shape) and not is_bgr:
        return model
    x = image = keras.Input(shape, name="image")
    if is_bgr:
        # XNNPACK does not run the operation that reverses a tensor.
        reverse = keras.layers.Conv2D(3, 1, use_bias=False, trainable=False, name="rgb_to_bgr")
        x = reverse(x)
        reverse.set_weights([np.eye(3)[::-1].reshape(1, 1, 3, 3)])
    return keras.Model(image, model(x), name=scope_name(name))
