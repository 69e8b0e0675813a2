"""TensorFlow SavedModel folders as Keras models for inference."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..data.downloads import require_downloaded
from ..errors import Error, UsageError, keras_reason
from .nested_layers import operations
from .valid_names import scope_name

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]

_FILE = "saved_model.pb"
_DEFAULT_SIGNATURE = "serving_default"
_IMAGE_DTYPES = ("float32", "uint8", "int32")


class _Tensor(NamedTuple):
    """An input or output of a signature."""

    name: str
    shape: Shape
    dtype: str


def is_saved_model(folder: Path) -> bool:
    """Return whether a folder is a SavedModel."""
    return (folder / _FILE).is_file()


def contains_saved_model(model: keras.Model) -> bool:
    """Return whether a model is built around a SavedModel."""
    import keras

    return any(isinstance(layer, keras.layers.TFSMLayer) for layer in operations(model))


def load(folder: Path, name: str) -> keras.Model:
    """Build a model around the signature of an image classifier.

    The folder must stay in place. Its layers are not Keras layers: the model can predict and be
    converted, but not be cloned, saved or trained.

    Args:
        folder: SavedModel that `model.export` of Keras, tf_keras or `tf.saved_model.save` wrote.
        name: Name of the model.

    Raises:
        Error: The folder is broken.
        UsageError: No signature maps a batch of images of any size to one row of scores each.
    """
    import keras

    endpoint, image, scores = _classifier(folder)
    try:
        layer = keras.layers.TFSMLayer(str(folder), call_endpoint=endpoint, name="saved_model")
    except Exception as error:  # TensorFlow raises many kinds
        raise Error(
            f"{folder} cannot be loaded as a SavedModel: {keras_reason(error)}", details=str(error)
        ) from error
    x = keras.Input(image.shape[1:], name="image", dtype=image.dtype)
    outputs = layer(x)  # a dict, unless the endpoint is also a method
    y = outputs[scores.name] if isinstance(outputs, dict) else outputs
    return keras.Model(x, y, name=scope_name(name))


def _classifier(folder: Path) -> tuple[str, _Tensor, _Tensor]:
    """Return the name, input and output of the signature of an image classifier."""
    signatures = _signatures(folder)
    for name in sorted(signatures, key=lambda name: (name != _DEFAULT_SIGNATURE, name)):
        images, outputs = signatures[name]
        rows = [tensor for tensor in outputs if len(tensor.shape) == 2]
        if len(images) == len(rows) == 1 and len(images[0].shape) == 4:
            image = images[0]
            if image.dtype in _IMAGE_DTYPES and image.shape[0] is None:
                return name, image, rows[0]
    found = "; ".join(
        f"{name}: {', '.join(map(_describe, inputs))} to {', '.join(map(_describe, outputs))}"
        for name, (inputs, outputs) in signatures.items()
    )
    raise UsageError(
        f"{folder} has no signature from images (None, height, width, channels) of "
        f"{', '.join(_IMAGE_DTYPES)} to one row of class scores (None, num_classes) each; it has "
        f"{found or 'none'}."
    )


def _signatures(folder: Path) -> dict[str, tuple[list[_Tensor], list[_Tensor]]]:
    """Return the inputs and outputs of each signature, without loading the graph."""
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    require_downloaded(folder / _FILE)
    document = SavedModel()
    try:
        document.ParseFromString((folder / _FILE).read_bytes())
    except DecodeError as error:
        raise Error(f"{folder / _FILE} cannot be read as a SavedModel: {error}.") from error
    return {
        name: (_tensors(signature.inputs), _tensors(signature.outputs))
        for graph in document.meta_graphs
        for name, signature in graph.signature_def.items()
        if signature.inputs  # others initialize the graph
    }


def _tensors(infos: Any) -> list[_Tensor]:
    import tensorflow as tf

    return [
        _Tensor(
            name,
            tuple(None if side.size < 0 else side.size for side in info.tensor_shape.dim),
            tf.dtypes.as_dtype(info.dtype).name,
        )
        for name, info in sorted(infos.items())
    ]


def _describe(tensor: _Tensor) -> str:
    return f"{tensor.name} {tensor.shape} {tensor.dtype}"
