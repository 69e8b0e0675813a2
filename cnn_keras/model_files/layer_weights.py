"""Weights by layer: reading them from Keras files, and loading them into a network by name.

Example:
    >>> import cnn_keras
    >>> old = cnn_keras.build("resnet20", num_classes=10)
    >>> model = cnn_keras.build("resnet20", num_classes=3)
    >>> load_by_name(model, {layer.name: layer.get_weights() for layer in old.layers})
    ['logits']
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from numpy.typing import NDArray

from ..data.downloads import require_downloaded
from ..errors import Error, UsageError

if TYPE_CHECKING:
    import keras

CLASSIFIER = "logits"  # the last layer with weights, in every network of the zoo

TORCH_SUFFIXES = (".pth", ".pt", ".ckpt", ".tar", ".safetensors")
HDF5_SUFFIXES = (".h5", ".hdf5")

Weights: TypeAlias = Mapping[str, list[NDArray[Any]]]
"""The arrays of each layer by the layer's name, in the order of its `weights`."""


def read_weights(path: str | Path) -> dict[str, list[NDArray[Any]]]:
    """Read the weights of a `.keras` or `.weights.h5` file, without building its network.

    Returns:
        The arrays of each layer that has any, by the layer's name, in the order of its `weights`.

    Raises:
        Error: The file does not exist or is of another kind, its layers have no names, or several
            have the same name, as in an ensemble.
    """
    import h5py

    path = Path(path)
    if not path.is_file():
        raise Error(f"No such weights: {path}.")
    found: dict[str, list[NDArray[Any]]] = {}
    repeated = set()

    def visit(_: str, item: Any) -> None:
        if isinstance(item, h5py.Group) and "name" in item.attrs and len(item):
            if item.attrs["name"] in found:
                repeated.add(item.attrs["name"])
            found[item.attrs["name"]] = [item[str(index)][()] for index in range(len(item))]

    require_downloaded(path)
    try:
        source = _member(path, "model.weights.h5") if zipfile.is_zipfile(path) else path
        with h5py.File(source) as file:
            file["layers"].visititems(visit)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        suffix = path.suffix.lower()
        if suffix in TORCH_SUFFIXES or (suffix in HDF5_SUFFIXES and isinstance(error, KeyError)):
            raise Error(
                f"{path} is not a .keras or .weights.h5 file. Import weights that torchvision or "
                "keras.applications publishes as a run folder first: cnn-keras import-weights "
                f"NAME {path} --out RUN."
            ) from error
        raise Error(f"{path} cannot be read as a .keras or .weights.h5 file: {error}.") from error
    if not found:
        raise Error(f"{path} names no layer: load it and save it again with this Keras.")
    if repeated:
        raise Error(f"{path} has several layers '{min(repeated)}': give a file of one network.")
    return found


def _member(archive: Path, name: str) -> io.BytesIO:
    with zipfile.ZipFile(archive) as file:
        return io.BytesIO(file.read(name))


def input_shape(path: Path) -> tuple[int, int, int] | None:
    """Return the height, width and channels of a `.keras` file's input, if they are fixed."""
    if not zipfile.is_zipfile(path):
        return None
    layers = json.load(_member(path, "config.json"))["config"].get("layers", [])
    shapes = [layer["config"].get("batch_shape", []) for layer in layers[:1]]
    fixed = [shape[1:] for shape in shapes if len(shape) == 4 and None not in shape[1:]]
    return tuple(fixed[0]) if fixed else None


def count_parameters(path: Path) -> int:
    """Count the weights in a `.keras` file, as `keras.Model.count_params`, without building it.

    Raises:
        Error: The file is broken.
    """
    import h5py

    sizes: list[int] = []

    def visit(name: str, item: Any) -> None:
        # The state of dropout is saved like a weight, but is none.
        if isinstance(item, h5py.Dataset) and "seed_generator" not in name:
            sizes.append(item.size)

    require_downloaded(path)
    try:
        with h5py.File(_member(path, "model.weights.h5")) as file:
            file["layers"].visititems(visit)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise Error(f"{path} cannot be read as a .keras file: {error}.") from error
    return sum(sizes)


def main_network(model: keras.Model) -> keras.Model:
    """Return the network up to a model's first output, without auxiliary classifiers.

    It shares the model's variables.
    """
    import keras

    if len(model.outputs) == 1:
        return model
    return keras.Model(model.input, model.outputs[0], name=model.name)


def load_by_name(model: keras.Model, weights: Weights, *, classifier: bool = True) -> list[str]:
    """Set the weights of a network's layers to those of layers with the same names.

    Every layer must be in `weights` with the same shapes, except the classifier (``"logits"``) and
    auxiliary classifiers.

    Args:
        model: A network of the zoo, or any functional model.
        weights: By layer name, as from `read_weights`, or
            ``{layer.name: layer.get_weights() for layer in other.layers}``.
        classifier: Whether to load classifiers of the same shape, too.

    Returns:
        Names of the layers that keep their own weights.

    Raises:
        UsageError: A layer is missing on either side or has another shape; the model is unchanged.
    """
    needed = {layer.name for layer in main_network(model).layers}
    own = [layer for layer in model.layers if layer.weights]
    misfit = f"The weights do not fit {model.name}: "
    fitting, kept = [], []
    for layer in own:
        theirs = [array.shape for array in weights.get(layer.name, [])]
        ours = [tuple(variable.shape) for variable in layer.weights]
        # An auxiliary classifier's name ends with "logits"; so may that of a layer before the
        # classifier ("pre_logits").
        is_auxiliary = layer.name.endswith(CLASSIFIER) and layer.name not in needed
        is_classifier = layer.name == CLASSIFIER or is_auxiliary
        if ours == theirs and (classifier or not is_classifier):
            fitting.append(layer)
        elif is_classifier or layer.name not in needed:
            kept.append(layer.name)
        elif not theirs:
            raise UsageError(f"{misfit}they have no layer '{layer.name}'.")
        else:
            raise UsageError(
                f"{misfit}their layer '{layer.name}' is {_shapes_text(theirs)}, its own "
                f"{_shapes_text(ours)}. They need the options and the input that they were made "
                f"with; this input is {_shapes_text([model.input_shape[1:]])}."
            )
    names = {layer.name for layer in own}
    for name, arrays in weights.items():
        if arrays and name not in names:
            raise UsageError(f"{misfit}they have a layer '{name}' that it lacks.")
    for layer in fitting:
        layer.set_weights(weights[layer.name])
    return kept


def _shapes_text(shapes: list[tuple[int, ...]]) -> str:
    return " with ".join("×".join(map(str, shape)) for shape in shapes)
