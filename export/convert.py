"""Convert a Keras model to a float32 TFLite file, the one that every other file is made from."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cnn_keras.command import quiet
from cnn_keras.errors import Error, UsageError
from cnn_keras.head import with_probabilities

from . import flatbuffer

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT, SIGNATURE = "image", "probabilities", "serving_default"


def convert(model: keras.Model) -> bytes:
    """Convert a Keras image classifier to a float32 TFLite file.

    The batch is static 1, because a dynamic one keeps shape arithmetic in the graph and splits it
    between XNNPACK and the built-in kernels. The signature is ``image`` to ``probabilities``; a
    model that ends with logits gets a softmax first, see `cnn_keras.head`. TensorFlow's own
    operations (Flex) are refused: a phone's runtime does not have them.

    Args:
        model: Classifier with one input `(batch, height, width, channels)` of fixed size and one
            output `(batch, num_classes)`, on Keras' TensorFlow backend.

    Returns:
        The file. The same weights give the same bytes.

    Raises:
        UsageError: The model is no such classifier, or Keras runs on another backend.
        Error: The model needs an operation that TFLite does not have.

    Example:
        Path("lenet5.tflite").write_bytes(convert(model))
    """
    shape = _image_shape(model)
    with quiet(1, 2):
        data = _to_tflite(_trace(with_probabilities(model), shape))
    return _with_signature(data)


def _image_shape(model: keras.Model) -> tuple[int, int, int, int]:
    """Return the shape `(1, height, width, channels)` that the file will take."""
    import keras

    if keras.backend.backend() != "tensorflow":
        raise UsageError(
            f"Keras runs on {keras.backend.backend()}; conversion needs KERAS_BACKEND=tensorflow "
            "(a .keras file loads on any backend)."
        )
    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs:
        raise UsageError(f"Model '{model.name}' is not built yet; call it on an image once.")
    shapes = [tuple(tensor.shape) for tensor in (*inputs, *outputs)]
    if len(shapes) != 2 or len(shapes[0]) != 4 or None in shapes[0][1:] or len(shapes[1]) != 2:
        raise UsageError(
            f"Model '{model.name}' maps {_join(shapes[: len(inputs)])} to "
            f"{_join(shapes[len(inputs) :])}; expected one image (None, height, width, channels) "
            "of fixed size and one row of class scores (None, num_classes)."
        )
    _, height, width, channels = shapes[0]
    return (1, height, width, channels)


def _join(shapes: list[Any]) -> str:
    return ", ".join(map(str, shapes))


def _trace(model: keras.Model, shape: tuple[int, ...]) -> Any:
    """Return the concrete function from one image to its probabilities."""
    import tensorflow as tf

    def scores(image: Any) -> Any:
        return tf.cast(model(image, training=False), tf.float32)

    spec = tf.TensorSpec(shape, tf.float32, name=INPUT)
    return tf.function(scores, input_signature=[spec], autograph=False).get_concrete_function()


def _to_tflite(function: Any) -> bytes:
    """Convert a function as a frozen graph, its variables turned into constants.

    Given the model beside it, the converter would go through a SavedModel instead, which keeps
    variables that are read at run time (each a border between XNNPACK and the built-in kernels) and
    which costs VGG-16 twice the time and 8 GB more.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert import ConverterError

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return bytes(converter.convert())
    except (ConverterError, ValueError) as error:  # the latter of a graph that cannot be frozen
        raise _explain(str(error)) from None


def _explain(message: str) -> Error:
    """Turn the converter's pages into the line that says which operation is missing."""
    missing = re.findall(r"^(?:Flex|Custom) ops: ([\w, ]+)", message, re.MULTILINE)
    if not missing:
        missing = re.findall(r"'(tf\.\w+)' op", message)
    if not missing:
        lines = [line.strip() for line in message.splitlines() if line.strip()]
        return Error(f"The model cannot be converted: {lines[0] if lines else 'no reason given'}.")
    names = ", ".join(dict.fromkeys(missing))
    return Error(
        f"TFLite has no operation {names}; write the layer with other operations of keras.ops."
    )


def _with_signature(data: bytes) -> bytes:
    """Name input and output, as tensors and in a signature, which a frozen graph lacks."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.parse(data)
    graph = model.subgraphs[0]
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    for name, index, ends in (
        (INPUT, graph.inputs[0], "inputs"),
        (OUTPUT, graph.outputs[0], "outputs"),
    ):
        graph.tensors[index].name = name
        end = schema.TensorMapT()
        end.name, end.tensorIndex = name, int(index)
        setattr(signature, ends, [end])
    model.signatureDefs = [signature]
    return flatbuffer.pack(model)
