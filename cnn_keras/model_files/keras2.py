"""Model files that Keras 2 wrote, `.h5` and `.keras`, for Keras 3.

Most of them load once arguments that Keras 3 no longer takes, and that changed nothing, are left
out of the model's configuration. What Keras 3 lacks, or computes in another way, goes through
`tf_keras`, which is Keras 2 under another name, and becomes a SavedModel.
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

from ..errors import Error, reason_of
from .precision import replaced

_CONFIG, _CONFIG_FILE, _METADATA_FILE = "model_config", "config.json", "metadata.json"


class Keras2Error(Error):
    """Keras 3 cannot load a file that Keras 2 wrote."""


class _Dropped(NamedTuple):
    """Arguments of layers that Keras 3 no longer takes.

    Attributes:
        layers: Names of the layers' classes.
        arguments: By name, the value that changes nothing; None where no value does.
    """

    layers: str
    arguments: dict[str, Any]


_DROPPED = (
    _Dropped("(Depthwise|Separable)Conv[12]D|Conv[123]DTranspose", {"groups": 1}),
    # These have an initializer and the like for each of their two kernels, and never used one more.
    _Dropped(
        "SeparableConv[12]D",
        dict.fromkeys(("kernel_initializer", "kernel_regularizer", "kernel_constraint")),
    ),
    _Dropped("SimpleRNN|RNN|LSTM|GRU", {"time_major": False}),
    _Dropped(
        "MultiHeadAttention",
        {"query_shape": None, "key_shape": None, "value_shape": None}
        | {"softmax_robust_masking": False},
    ),
    _Dropped(r"Random\w+", {"rng_type": None}),
    _Dropped("SpatialDropout[123]D", {"trainable": None, "noise_shape": None}),
)

# Layers of Keras 2 alone; most are TensorFlow's functions in a functional model.
_KERAS2_LAYERS = {
    *("TFOpLambda", "SlicingOpLambda", "InstanceProperty"),
    *("LocallyConnected1D", "LocallyConnected2D", "ThresholdedReLU", "CuDNNGRU", "CuDNNLSTM"),
    *("RandomHeight", "RandomWidth"),
}

# `clip(0.2 x + 0.5, 0, 1)` in Keras 2, `relu6(x + 3) / 6` in Keras 3.
_CHANGED = "hard_sigmoid"

# TensorFlow's functions that only compute; others read and write files, or run code.
_COMPUTING = (
    r"(__operators__|math|nn|image|linalg|signal)\.\w+|argmax|argsort|broadcast_to|cast|"
    "clip_by_value|concat|expand_dims|gather|identity|one_hot|ones_like|pad|repeat|reshape|reverse|"
    "shape|slice|split|squeeze|stack|stop_gradient|strided_slice|tensordot|tile|transpose|unstack|"
    "where|zeros_like"
)
_CODE = frozenset(("Lambda", "ClassMethod", "InstanceMethod", "TensorFlowOpLayer"))

_FLOAT_MODEL = "give the float model from before it (--recipes aware_wi8_ai8 trains it so)"
TOOLKIT = {
    **dict.fromkeys(
        ("QuantizeLayer", "QuantizeWrapper", "QuantizeWrapperV2", "QuantizeAnnotate"), _FLOAT_MODEL
    ),
    "PruneLowMagnitude": "save what tfmot.sparsity.keras.strip_pruning(model) returns",
    **dict.fromkeys(
        ("ClusterWeights", "ClusterWeightsMHA"),
        "save what tfmot.clustering.keras.strip_clustering(model) returns",
    ),
}
"""Wrappers that `tensorflow_model_optimization` trains with, and what to do with them."""

FUNCTIONS = _CODE | {"TFOpLambda", "SlicingOpLambda", "InstanceProperty"}
"""Layers that are functions in a model."""


def version(path: Path) -> str | None:
    """Return the version of Keras that wrote a model file, where it is 1 or 2.

    Args:
        path: HDF5 or a zip file, whatever its name: TensorFlow up to 2.11 wrote HDF5 as `.keras`.
    """
    try:
        written = _written_by(path)
    except Exception:  # a broken file, or none: whoever loads it says what is wrong
        return None
    return written if written.partition(".")[0] in ("1", "2") else None


def _written_by(path: Path) -> str:
    if not h5py.is_hdf5(path):
        with zipfile.ZipFile(path) as archive:
            return str(json.loads(archive.read(_METADATA_FILE))["keras_version"])
    with h5py.File(path) as file:
        # The oldest files do not say it.
        return _text(file.attrs.get("keras_version", "2")) if _CONFIG in file.attrs else ""


def _text(attribute: str | bytes) -> str:
    return attribute.decode() if isinstance(attribute, bytes) else attribute


def has_weights_only(path: Path) -> bool:
    """Return whether a file is HDF5 in which no network stands, as `save_weights` writes it."""
    try:
        with h5py.File(path) as file:
            return _CONFIG not in file.attrs
    except OSError:  # another file, or a broken one
        return False


def layers(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return class and arguments of all that the configuration in a model file names."""
    try:
        config = _config(path)
    except Exception:  # a broken file: whoever loads it says what is wrong
        return
    yield from ((part["class_name"], part["config"]) for part in _layers(config))


@contextmanager
def modernized(path: Path) -> Iterator[Path]:
    """Copy a file for a while, with a configuration that Keras 3 reads.

    Args:
        path: Of Keras 2; see `version`.

    Yields:
        The copy.

    Raises:
        ValueError: Keras 3 lacks a layer or would compute something else, or a layer is code.
    """
    config = _config(path)
    for layer in _layers(config):
        if layer["class_name"] == "Lambda" and not isinstance(layer["config"]["function"], str):
            raise ValueError("`Lambda` layers are code")
    found = _strings(config)
    if missing := found & _KERAS2_LAYERS:
        raise ValueError(f"it has no {', '.join(sorted(missing))}")
    if _CHANGED in found:
        raise ValueError(f"its {_CHANGED} is another function")
    with _with_config(path, _modern(config, _renamed(config))) as copy:
        yield copy


@contextmanager
def _with_config(path: Path, config: Any) -> Iterator[Path]:
    """Copy a file for a while, with another configuration, under a name that says what it is."""
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


def _config(path: Path) -> Any:
    if not h5py.is_hdf5(path):
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read(_CONFIG_FILE))
    with h5py.File(path) as file:
        return json.loads(_text(file.attrs[_CONFIG]))


def _strings(value: Any) -> set[str]:
    """Return all values of a document that are strings."""
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict | list):
        parts = value.values() if isinstance(value, dict) else value
        return set().union(*map(_strings, parts))
    return set()


def _layers(value: Any) -> Iterator[dict[str, Any]]:
    """Return the parts of a configuration that name a class and its arguments."""
    if isinstance(value, dict):
        if "class_name" in value and isinstance(value.get("config"), dict):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from _layers(part)


def _renamed(config: Any) -> dict[str, str]:
    """Return a name without slashes, which Keras 3 does not take, for each layer that has one."""
    names = {str(layer["config"].get("name")) for layer in _layers(config)}
    return {name: name.replace("/", "_") for name in names if "/" in name}


def _modern(value: Any, renamed: dict[str, str]) -> Any:
    """Return a part of a configuration as Keras 3 reads it."""
    if isinstance(value, str):
        return renamed.get(value, value)
    if isinstance(value, list):
        return [_modern(part, renamed) for part in value]
    if not isinstance(value, dict):
        return value
    value = {key: _modern(part, renamed) for key, part in value.items()}
    name, config = value.get("class_name"), value.get("config")
    if name == "Sequential" and isinstance(config, list):  # up to Keras 2.2.2
        config = value["config"] = {"name": value.get("name", "sequential"), "layers": config}
    if not isinstance(config, dict):
        return value
    if name == "Functional" and "module" in value:
        value["module"] = "keras.src.models.functional"  # it was keras.src.engine.functional
    if "layers" in config:
        _state_input(config["layers"])
        _count_calls_from_0(config)
        for ends in ("input_layers", "output_layers"):
            if len(config.get(ends, ())) == 1:  # for Keras 3 that is a list of one tensor
                config[ends] = config[ends][0]
    policy = config.get("dtype")
    if isinstance(policy, dict):
        config["dtype"] = policy["config"]["name"]
    axis = config.get("axis")
    if name == "BatchNormalization" and isinstance(axis, list) and len(axis) == 1:
        config["axis"] = axis[0]
    for layers, arguments in _DROPPED:
        if re.fullmatch(layers, str(name)):
            for argument, neutral in arguments.items():
                if neutral is None or config.get(argument) == neutral:
                    config.pop(argument, None)
    return value


def _state_input(layers: list[Any]) -> None:
    """Let a layer of its own say what a model takes, where the first that computes says it.

    Args:
        layers: Of a model; changed.
    """
    computing = [layer for layer in layers if layer["class_name"] != "InputLayer"]
    shapes = [layer["config"].pop("batch_input_shape", None) for layer in computing]
    if layers == computing and any(shapes[:1]):
        layers.insert(0, {"class_name": "InputLayer", "config": {"batch_shape": shapes[0]}})


def _count_calls_from_0(config: dict[str, Any]) -> None:
    """Number the calls of each `Sequential` inside a model as Keras 3 does.

    In Keras 2 a sequential model that knows its input has been called once, by itself.

    Args:
        config: Of the model around them, which is changed.
    """
    for layer in config["layers"]:
        if layer["class_name"] == "Sequential" and layer.get("inbound_nodes"):
            name, users = layer["name"], [config["layers"], config.get("output_layers")]
            calls = [call for call in _calls(users) if call[0] == name]
            shift = max((call[1] for call in calls), default=0) + 1 - len(layer["inbound_nodes"])
            for call in calls:
                call[1] -= max(shift, 0)


def _calls(value: Any) -> Iterator[list[Any]]:
    """Return the parts of a configuration that mean a tensor: layer, call, number of the output."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        if [type(part) for part in value[:3]] == [str, int, int]:
            yield value
        for part in value:
            yield from _calls(part)


def _code(config: Any) -> str | None:
    """Return the first layer that may be any code, if there is one."""
    for layer in _layers(config):
        name, function = layer["class_name"], str(layer["config"].get("function"))
        if name in _CODE:
            return str(name)
        if name == "TFOpLambda" and not re.fullmatch(_COMPUTING, function):
            return f"{name} of tf.{function}"
    return None


@contextmanager
def named(path: Path, name: str) -> Iterator[Path]:
    """Give a file another name for a while, for libraries that go by the ending of a name."""
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / name
        link.symlink_to(path.resolve())
        yield link


def library_of(model: Any) -> ModuleType:
    """Return what a model is made of: Keras 3, or `tf_keras`."""
    import keras

    return keras if isinstance(model, keras.Model) else sys.modules["tf_keras"]


def to_saved_model(path: Path, folder: Path, reason: Keras2Error) -> Any:
    """Let `tf_keras` load a file, and write it as a SavedModel from images to scores in float32.

    Args:
        path: Of Keras 2; see `version`.
        folder: For the SavedModel.
        reason: Why Keras 3 cannot load it.

    Returns:
        The model of `tf_keras`.

    Raises:
        Error: `tf_keras` is not installed or cannot load it, or a layer is code.
    """
    if find_spec("tf_keras") is None:
        raise reason
    import keras
    import tensorflow as tf
    import tf_keras

    config = _config(path)
    if code := _code(config):
        raise Error(
            f"{path} has a layer {code}, which may be any code, and no code in a file is run: load "
            "it where it was made, and save it as a SavedModel."
        )
    own = dict(keras.saving.get_custom_objects())
    with _with_config(path, replaced(config, set())) as copy:
        try:
            model = tf_keras.models.load_model(copy, own, compile=False)
        except Exception as error:  # by what is broken, as with Keras 3
            raise Error(
                f"{path} was written by Keras {version(path)}, and tf_keras cannot load it, "
                f"either: {reason_of(error)}",
                details=str(error),
            ) from error
    image = tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")

    @tf.function(input_signature=[image], autograph=False)
    def serve(pixels: Any) -> Any:
        return tf.cast(model(tf.cast(pixels, model.inputs[0].dtype), training=False), tf.float32)

    tf.saved_model.save(model, str(folder), signatures=serve)
    return model
