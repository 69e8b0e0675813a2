"""Loading of `.h5` and `.keras` files of Keras 2 by Keras 3.

Most files load after arguments that Keras 3 no longer takes, and that have no effect, are removed
from the model's configuration. `tf_keras`, which is Keras 2, converts a model that has layers which
Keras 3 lacks or computes differently to a SavedModel.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import h5py

from ..errors import Error, keras_reason
from .precision import with_float32_policy

_CONFIG, _CONFIG_FILE, _METADATA_FILE = "model_config", "config.json", "metadata.json"


class Keras2Error(Error):
    """Keras 3 cannot load a file that Keras 2 wrote."""


class _RemovedArguments(NamedTuple):
    """Arguments of layers that Keras 3 no longer takes.

    Attributes:
        layers: Regular expression of the layers' classes.
        arguments: By name, the value that has no effect; None if no value has an effect.
    """

    layers: str
    arguments: dict[str, Any]


_REMOVED_ARGUMENTS = (
    _RemovedArguments("(Depthwise|Separable)Conv[12]D|Conv[123]DTranspose", {"groups": 1}),
    # Their two kernels have arguments of their own; these were never used.
    _RemovedArguments(
        "SeparableConv[12]D",
        dict.fromkeys(("kernel_initializer", "kernel_regularizer", "kernel_constraint")),
    ),
    _RemovedArguments("SimpleRNN|RNN|LSTM|GRU", {"time_major": False}),
    _RemovedArguments(
        "MultiHeadAttention",
        {"query_shape": None, "key_shape": None, "value_shape": None}
        | {"softmax_robust_masking": False},
    ),
    _RemovedArguments(r"Random\w+", {"rng_type": None}),
    _RemovedArguments("SpatialDropout[123]D", {"trainable": None, "noise_shape": None}),
)

# Layers that only Keras 2 has; most stand for TensorFlow functions in a functional model.
_KERAS2_LAYERS = {
    *("TFOpLambda", "SlicingOpLambda", "InstanceProperty"),
    *("LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU", "CuDNNGRU", "CuDNNLSTM"),
    *("RandomHeight", "RandomWidth"),
}

# `clip(0.2 x + 0.5, 0, 1)` in Keras 2, `relu6(x + 3) / 6` in Keras 3.
_CHANGED_ACTIVATION = "hard_sigmoid"

# TensorFlow functions without side effects; others read and write files, or run code.
_PURE_FUNCTIONS = (
    r"(__operators__|math|nn|image|linalg|signal)\.\w+|argmax|argsort|broadcast_to|cast|"
    "clip_by_value|concat|expand_dims|gather|identity|one_hot|ones_like|pad|repeat|reshape|reverse|"
    "shape|slice|split|squeeze|stack|stop_gradient|strided_slice|tensordot|tile|transpose|unstack|"
    "where|zeros_like"
)
_CODE_LAYERS = frozenset(("Lambda", "ClassMethod", "InstanceMethod", "TensorFlowOpLayer"))

_GIVE_FLOAT_MODEL = "give the float model from before it (--recipes aware_wi8_ai8 trains it so)"
TFMOT_WRAPPERS = {
    **dict.fromkeys(
        ("QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2", "QuantizeAnnotate"),
        _GIVE_FLOAT_MODEL,
    ),
    "PruneLowMagnitude": "save what tfmot.sparsity.keras.strip_pruning(model) returns",
    **dict.fromkeys(
        ("ClusterWeights", "ClusterWeightsMHA"),
        "save what tfmot.clustering.keras.strip_clustering(model) returns",
    ),
}
"""Wrapper layers of `tensorflow_model_optimization`, and what to do with them."""

FUNCTION_LAYERS = _CODE_LAYERS | {"TFOpLambda", "SlicingOpLambda", "InstanceProperty"}
"""Layers of Keras 2 that stand for functions."""


def keras2_version(path: Path) -> str | None:
    """Return the version of Keras that wrote a model file if it is 1 or 2, else None.

    Args:
        path: HDF5 or a zip file under any name: TensorFlow up to 2.11 wrote HDF5 as `.keras`.
    """
    try:
        written = _written_by(path)
    except Exception:  # no file, or a broken one: loading it reports the reason
        return None
    return written if written.partition(".")[0] in ("1", "2") else None


def _written_by(path: Path) -> str:
    if not h5py.is_hdf5(path):
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read(_METADATA_FILE))["keras_version"])
    with h5py.File(path) as file:
        # The oldest files do not have the attribute.
        return _text(file.attrs.get("keras_version", "2")) if _CONFIG in file.attrs else ""


def _text(attribute: str | bytes) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def has_weights_only(path: Path) -> bool:
    """Return whether a file is HDF5 without a network, as `save_weights` writes it."""
    try:
        with h5py.File(path) as file:
            return _CONFIG not in file.attrs
    except OSError:  # not HDF5, or broken
        return False


def configured_layers(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the class name and the arguments of each object in the configuration of a file."""
    try:
        config = _read_config(path)
    except Exception:  # a broken file: loading it reports the reason
        return
    yield from ((part["class_name"], part["config"]) for part in _configured(config))


@contextmanager
def converted_copy(path: Path) -> Iterator[Path]:
    """Make a temporary copy of a file, with a configuration that Keras 3 reads.

    Args:
        path: File of Keras 2; see `keras2_version`.

    Yields:
        The path of the copy.

    Raises:
        ValueError: Keras 3 lacks a layer or computes it differently, or a layer is code.
    """
    config = _read_config(path)
    for layer in _configured(config):
        if layer["class_name"] == "Lambda" and not isinstance(layer["config"]["function"], str):
            raise ValueError("`Lambda` layers are code")
    found = _strings(config)
    if missing := found & _KERAS2_LAYERS:
        raise ValueError(f"it has no {', '.join(sorted(missing))}")
    if _CHANGED_ACTIVATION in found:
        raise ValueError(f"its {_CHANGED_ACTIVATION} is another function")
    with _copy_with_config(path, _converted(config, _new_names(config))) as copy:
        yield copy


@contextmanager
def _copy_with_config(path: Path, config: Any) -> Iterator[Path]:
    """Make a temporary copy of a file with another configuration and the suffix of its format."""
    text = json.dumps(config)
    with tempfile.TemporaryDirectory() as folder:
        if h5py.is_hdf5(path):
            copy = Path(shutil.copyfile(path, Path(folder) / "model.h5"))
            with h5py.File(copy, "r+") as file:
                file.attrs[_CONFIG] = text
        else:
            copy = Path(folder) / "model.keras"
            with zipfile.ZipFile(path) as old, zipfile.ZipFile(copy, "w") as new:
                for name in old.namelist():
                    new.writestr(name, text if name == _CONFIG_FILE else old.read(name))
        yield copy


def _read_config(path: Path) -> Any:
    if not h5py.is_hdf5(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_CONFIG_FILE))
    with h5py.File(path) as file:
        return json.loads(_text(file.attrs[_CONFIG]))


def _strings(value: Any) -> set[str]:
    """Return all strings among the values of a JSON document."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return set().union(*map(_strings, parts))
    return set()


def _configured(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the parts of a configuration that hold a class name and its arguments."""
    if isinstance(value, dict):
        if "class_name" in value and isinstance(value.get("config"), dict):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _configured(part)


def _new_names(config: Any) -> dict[str, str]:
    """Return new names, by the old, for layers with a slash in theirs, which Keras 3 refuses."""
    names = {str(layer["config"].get("name")) for layer in _configured(config)}
    return {name: name.replace("/", "_") for name in names if "/" in name}


def _converted(value: Any, new_names: dict[str, str]) -> Any:
    """Return a part of a configuration as Keras 3 reads it."""
    if isinstance(value, str):
        return new_names.get(value, value)
    if isinstance(value, list):
        return [_converted(part, new_names) for part in value]
    if not isinstance(value, dict):
        return value
    value = {key: _converted(part, new_names) for key, part in value.items()}
    name, config = value.get("class_name"), value.get("config")
    if name == "Sequential" and isinstance(config, list):  # up to Keras 2.2.2
        config = value["config"] = {"name": value.get("name", "sequential"), "layers": config}
    if not isinstance(config, dict):
        return value
    if name == "Functional" and "module" in value:
        value["module"] = "keras.src.models.functional"  # it was keras.src.engine.functional
    if "layers" in config:
        _add_input_layer(config["layers"])
        _renumber_calls(config)
        for key in ("input_layers", "output_layers"):
            if len(config.get(key, ())) == 1:  # for Keras 3 that is a list of one tensor
                config[key] = config[key][0]
    policy = config.get("dtype")
    if isinstance(policy, dict):
        config["dtype"] = policy["config"]["name"]
    axis = config.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    for layers, arguments in _REMOVED_ARGUMENTS:
        if re.fullmatch(layers, str(name)):
            for argument, without_effect in arguments.items():
                if without_effect is None or config.get(argument) == without_effect:
                    config.pop(argument, None)
    return value


def _add_input_layer(layers: list[Any]) -> None:
    """Insert an `InputLayer` if the first layer states the model's input shape.

    Args:
        layers: Configurations of the layers of a model, changed in place.
    """
    computing = [layer for layer in layers if layer["class_name"] != "InputLayer"]
    shapes = [layer["config"].pop("batch_input_shape", None) for layer in computing]
    if layers == computing and any(shapes[:1]):
        layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shapes[0]}})


def _renumber_calls(config: dict[str, Any]) -> None:
    """Number the calls of each `Sequential` inside a model from 0, as Keras 3 does.

    In Keras 2 a sequential model with a known input counts a first call of its own.

    Args:
        config: Configuration of the outer model, changed in place.
    """
    for layer in config["layers"]:
        if layer["class_name"] == "Sequential" and layer.get("inbound_nodes"):
            name, users = layer["name"], [config["layers"], config.get("output_layers")]
            calls = [call for call in _calls(users) if call[0] == name]
            shift = max((call[1] for call in calls), default=0) + 1 - len(layer["inbound_nodes"])
            for call in calls:
                call[1] -= max(shift, 0)


def _calls(value: Any) -> Iterator[list[Any]]:
    """Yield the parts of a configuration that refer to a tensor: layer, call, output index."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if [type(part) for part in value[:3]] == [str, int, int]:
            yield value
        for part in value:
            yield from _calls(part)


def _code_layer(config: Any) -> str | None:
    """Return the first layer that may run any code, if there is one."""
    for layer in _configured(config):
        name, function = layer["class_name"], str(layer["config"].get("function"))
        if name in _CODE_LAYERS:
            return str(name)
        if name == "TFOpLambda" and not re.fullmatch(_PURE_FUNCTIONS, function):
            return f"{name} of tf.{function}"
    return None


@contextmanager
def symlink_as(path: Path, name: str) -> Iterator[Path]:
    """Make a temporary link to a file under another name, for libraries that check suffixes."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / name
        link.symlink_to(path.resolve())
        yield link


def library_of(model: Any) -> ModuleType:
    """Return the library of a model: Keras 3 or `tf_keras`."""
    import keras

    return keras if isinstance(model, keras.Model) else sys.modules["tf_keras"]


def to_saved_model(path: Path, folder: Path, reason: Keras2Error) -> Any:
    """Convert a file by `tf_keras` to a SavedModel from float32 images to float32 scores.

    Args:
        path: File of Keras 2; see `keras2_version`.
        folder: Folder for the SavedModel.
        reason: Why Keras 3 cannot load the file.

    Returns:
        The `tf_keras` model.

    Raises:
        Error: `tf_keras` is not installed or cannot load the file, or a layer is code.
    """
    if find_spec("tf_keras") is None:
        raise reason
    import keras
    import tensorflow as tf
    import tf_keras

    config = _read_config(path)
    if code := _code_layer(config):
        raise Error(
            f"{path} has a layer {code}, which may be any code, and code in files is never run: "
            "load it where it was made, and save it as a SavedModel."
        )
    custom_objects = dict(keras.saving.get_custom_objects())
    with _copy_with_config(path, with_float32_policy(config, set())) as copy:
        try:
            model = tf_keras.models.load_model(copy, custom_objects, compile=False)
        except Exception as error:  # Keras raises many kinds
            raise Error(
                f"{path} was written by Keras {keras2_version(path)}, and tf_keras cannot load it "
                f"either: {keras_reason(error)}",
                details=str(error),
            ) from error
    image = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")

    @tf.function(input_signature=[image], autograph=False)
    def serve(pixels: Any) -> Any:
        return tf.cast(model(tf.cast(pixels, model.inputs[0].dtype), training=False), tf.float32)

    tf.saved_model.save(model, str(folder), signatures=serve)
    return model
