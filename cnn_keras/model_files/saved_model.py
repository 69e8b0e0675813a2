"""TensorFlow's SavedModel folders as Keras models: to run, not to train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ..downloads import require_downloaded
from ..errors import Error, UsageError, reason_of
from .scopes import scope_name

if TYPE_CHECKING:
    import keras

Shape = tuple[int | None, ...]

_FILE = "saved_model.pb"
_DEFAULT = "serving_default"
_TYPES = ("float32", "uint8", "int32")  # of images


class _Tensor(NamedTuple):
    """An input or output of a signature."""

    name: str
    shape: Shape
    dtype: str


def is_there(folder: Path) -> bool:
    """Return whether a folder is a SavedModel."""
    return (folder / _FILE).is_file()


def is_inside(model: keras.Model) -> bool:
    """Return whether a model is built around a SavedModel."""
    import keras

    return any(
        is_inside(layer)
        if isinstance(layer, keras.Model)
        else isinstance(layer, keras.layers.TFSMLayer)
        for layer in model.layers
    )


def load(folder: Path, name: str) -> keras.Model:
    """Build a model around the signature that takes one image and gives one row of scores.

    The folder has to stay where it is. The layers inside are no layers of Keras: the model can be
    shown images and converted, but not cloned, saved or trained.

    Args:
        folder: As `model.export` of Keras, tf_keras or `tf.saved_model.save` writes it.
        name: Of the model.

    Raises:
        Error: It is broken.
        UsageError: It has no such signature, or one that takes a fixed number of images.
    """
    import keras

    endpoint, image, scores = _classifier(folder)
    try:
        layer = keras.layers.TFSMLayer(str(folder), call_endpoint=endpoint, name="saved_model")
    except Exception as error:  # TensorFlow's, by what is broken
        raise Error(
            f"{folder} cannot be loaded as a SavedModel: {reason_of(error)}", details=str(error)
        ) from error
    x = keras.Input(image.shape[1:], name="image", dtype=image.dtype)
    found = layer(x)  # by name, but for an endpoint that is a method, too
    return keras.Model(
        x, found[scores.name] if isinstance(found, dict) else found, name=scope_name(name)
    )


def _classifier(folder: Path) -> tuple[str, _Tensor, _Tensor]:
    """Return name, input and output of the signature of an image classifier."""
    signatures = _signatures(folder)
    for name in sorted(signatures, key=lambda name: (name != _DEFAULT, name)):
        images, outputs = signatures[name]
        rows = [tensor for tensor in outputs if len(tensor.shape) == 2]
        if len(images) == len(rows) == 1 and len(images[0].shape) == 4:
            image = images[0]
            if image.dtype in _TYPES and image.shape[0] is None:
                return name, image, rows[0]
    found = "; ".join(
        f"{name}: {', '.join(map(_spell, inputs))} to {', '.join(map(_spell, outputs))}"
        for name, (inputs, outputs) in signatures.items()
    )
    raise UsageError(
        f"{folder} has no signature from images (None, height, width, channels) of "
        f"{', '.join(_TYPES)} to one row of class scores (None, num_classes) each; it has "
        f"{found or 'none'}."
    )


def _signatures(folder: Path) -> dict[str, tuple[list[_Tensor], list[_Tensor]]]:
    """Return inputs and outputs of each signature, without loading what it computes."""
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
        if signature.inputs  # others start the graph
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


def _spell(tensor: _Tensor) -> str:
    return f"{tensor.name} {tensor.shape} {tensor.dtype}"
