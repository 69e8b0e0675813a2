"""Start a network from the weights of another that has the same rows, and keep rows as they are.

Example:
    >>> import cnn_keras
    >>> old = cnn_keras.build("resnet20", num_classes=10)
    >>> model = cnn_keras.build("resnet20", num_classes=3)
    >>> load_by_name(model, {layer.name: layer.get_weights() for layer in old.layers})
    ['logits']
    >>> freeze_until(model, "conv4_3")
    >>> [variable.path for variable in model.trainable_variables]
    ['logits/kernel', 'logits/bias']
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from ..downloads import require_downloaded
from ..errors import Error, UsageError, unknown
from ..layer_names import row_of

if TYPE_CHECKING:
    import keras

CLASSIFIER = "logits"  # the last layer with weights, in every network of the zoo

TORCH_FILES = (".pth", ".pt", ".ckpt", ".tar", ".safetensors")
HDF5_FILES = (".h5", ".hdf5")

Weights = Mapping[str, list[NDArray[Any]]]


def read_weights(path: str | Path) -> dict[str, list[NDArray[Any]]]:
    """Read the weights of a `.keras` or `.weights.h5` file, without building its network.

    Returns:
        The arrays of each layer that has any, by the layer's name, in the order of its `weights`.

    Raises:
        Error: There is no such file, it is another kind of file, or its layers have no names, or
            not each its own, as in an ensemble.
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
            found[item.attrs["name"]] = [item[str(place)][()] for place in range(len(item))]

    require_downloaded(path)
    try:
        source = _member(path, "model.weights.h5") if zipfile.is_zipfile(path) else path
        with h5py.File(source) as file:
            file["layers"].visititems(visit)
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        suffix = path.suffix.lower()
        if suffix in TORCH_FILES or (suffix in HDF5_FILES and isinstance(error, KeyError)):
            raise Error(
                f"{path} is no .keras or .weights.h5 file. Weights that torchvision or "
                "keras.applications publishes become a run folder first: cnn-keras import-weights "
                f"NAME {path} --out RUN."
            ) from error
        raise Error(f"{path} cannot be read as a .keras or .weights.h5 file: {error}.") from error
    if not found:
        raise Error(f"{path} names no layer: load it and save it again with this Keras.")
    if repeated:
        raise Error(f"{path} has several layers '{min(repeated)}': take a file of one network.")
    return found


def _member(archive: Path, name: str) -> io.BytesIO:
    with zipfile.ZipFile(archive) as file:
        return io.BytesIO(file.read(name))


def input_shape(path: Path) -> tuple[int, int, int] | None:
    """Return height, width and channels of a `.keras` file's input, if they are fixed."""
    if not zipfile.is_zipfile(path):
        return None
    layers = json.load(_member(path, "config.json"))["config"].get("layers", [])
    shapes = [layer["config"].get("batch_shape", []) for layer in layers[:1]]
    fixed = [shape[1:] for shape in shapes if len(shape) == 4 and None not in shape[1:]]
    return tuple(fixed[0]) if fixed else None


def main_network(model: keras.Model) -> keras.Model:
    """Return the network that ends at a model's first output, with the same variables.

    Auxiliary classifiers, which only training needs, are no part of it.
    """
    import keras

    if len(model.outputs) == 1:
        return model
    return keras.Model(model.input, model.outputs[0], name=model.name)


def load_by_name(model: keras.Model, weights: Weights, *, classifier: bool = True) -> list[str]:
    """Give a network's layers the weights that layers of the same names have.

    Each has to be there in the same shape, but for classifiers (``"logits"``) and auxiliary ones.

    Args:
        model: Of the zoo, or any functional model.
        weights: By layer name, as from `read_weights`, or
            ``{layer.name: layer.get_weights() for layer in other.layers}``.
        classifier: Also take the classifiers that have the same shape.

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
        # An auxiliary one is called after it; a layer before it may be, too ("pre_logits").
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
                f"{misfit}their layer '{layer.name}' is {_spell(theirs)}, its own {_spell(ours)}. "
                "They need the options and the input that they were made with; this input is "
                f"{_spell([model.input_shape[1:]])}."
            )
    names = {layer.name for layer in own}
    for name, arrays in weights.items():
        if arrays and name not in names:
            raise UsageError(f"{misfit}they have a layer '{name}' that it lacks.")
    for layer in fitting:
        layer.set_weights(weights[layer.name])
    return kept


def _spell(shapes: list[tuple[int, ...]]) -> str:
    return " with ".join("×".join(map(str, shape)) for shape in shapes)


def freeze_until(model: keras.Model, row: str) -> None:
    """Keep a network's rows, from the first up to this one, from being trained.

    Batch normalization in them normalizes with the moments it has, as at inference. Compile the
    model after this.

    Args:
        model: Of the zoo; its auxiliary classifiers are trained all the same.
        row: Of the paper, as `summary` names it.

    Raises:
        UsageError: The network has no such row, or nothing after it.
    """
    layers = main_network(model).layers[1:]  # without the input; Keras sorts them by depth
    rows = [row_of(layer.name) for layer in layers]
    if row not in rows:
        raise unknown(f"row of {model.name}", row, dict.fromkeys(rows))
    end = len(rows) - rows[::-1].index(row)
    if not any(layer.trainable_weights for layer in layers[end:]):
        raise UsageError(f"Nothing is left to train after row '{row}': name an earlier one.")
    for layer in layers[:end]:
        layer.trainable = False
