"""Convert a Keras model to a float32 TFLite file, the one that every other file is made from."""

from __future__ import annotations

import re
import traceback
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from cnn_keras.command import quiet
from cnn_keras.errors import Error, UsageError, reason_of
from cnn_keras.model_files.precision import in_float32
from cnn_keras.model_files.traversal import operations
from cnn_keras.training.classifier_head import with_probabilities

from ..tflite import flatbuffer

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT, SIGNATURE = "image", "probabilities", "serving_default"


def convert(model: keras.Model) -> bytes:
    """Convert a Keras image classifier to a float32 TFLite file.

    The batch is static 1, because a dynamic one keeps shape arithmetic in the graph and splits it
    between XNNPACK and the built-in kernels. The signature is ``image`` to ``probabilities``; a
    model that ends with logits gets a softmax first, see `cnn_keras.training.classifier_head`.
    TensorFlow's own operations (Flex) are refused: a phone's runtime does not have them.

    Args:
        model: Classifier with one input `(batch, height, width, channels)` of fixed size and one
            output `(batch, num_classes)`, on Keras' TensorFlow backend; of another precision, it is
            rebuilt in float32.

    Returns:
        The file. The same weights give the same bytes.

    Raises:
        UsageError: The model is no such classifier, or Keras runs on another backend.
        Error: The model does not run on one image, or needs an operation that TFLite does not have:
            the message names the layer, and `details` holds all that was said.

    Example:
        Path("lenet5.tflite").write_bytes(convert(model))
    """
    shape = _image_shape(model)
    model = in_float32(model)
    with quiet(1, 2):
        try:
            model = with_probabilities(model)
            traced = _trace(model, shape)
        except Exception as error:  # whatever the layers' own code raises
            raise Error(
                f"Model '{model.name}' does not run on one image {shape}: {reason_of(error)}",
                details=traceback.format_exc(),
            ) from error
        data = _to_tflite(traced, model)
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


def _to_tflite(function: Any, model: keras.Model) -> bytes:
    """Convert a function as a frozen graph, its variables turned into constants.

    Given the model beside it, the converter would go through a SavedModel instead, which keeps
    variables that are read at run time (each a border between XNNPACK and the built-in kernels) and
    which costs VGG-16 twice the time and 8 GB more.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter's own, and others of a graph that cannot be frozen
        raise _explain(str(error) or repr(error), function.graph.as_graph_def(), model) from None


def _explain(message: str, graph: Any, model: keras.Model) -> Error:
    """Turn the converter's pages into a line: which layer, and which operation is missing.

    Args:
        message: What the converter says. It names operations, but no layers.
        graph: `GraphDef` that it was given: a node is named after the layers around it.
        model: The layers.
    """
    import keras

    missing: dict[str, str | None] = dict.fromkeys(re.findall(r"error: .*?'tf\.(\w+)'", message))
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    if len(missing) > 1:
        missing.pop("Placeholder", None)  # all inputs of a graph are such; it is never the cause
    nodes: list[Any] = []
    if missing:
        for op in missing:
            users = [node for node in graph.node if op in _ops(node, bodies)]
            if unusual := [node for node in users if _type(node) not in (None, "float32")]:
                missing[op] = f" of {_type(unusual[0])}"  # that of floats may exist
            nodes += unusual or users
        names = ", ".join(op + (suffix or "") for op, suffix in missing.items())
        cause = f"TFLite has no operation {names}. Write it with other operations of keras.ops."
    else:
        said = re.findall(r"error: (?!failed while converting)(.+)", message)
        cause = reason_of(ValueError((said or [message])[0]))
        words = set(cause.split())
        nodes = [node for node in graph.node if node.name in words]
    kinds = {
        layer.name: type(layer).__name__
        for layer in operations(model)
        if isinstance(layer, keras.Layer)
    }
    found = dict.fromkeys(filter(None, (_layer_of(node.name, kinds) for node in nodes)))
    layers = ", ".join(f"'{name}' ({kinds[name]})" for name in found)
    what = f"Layer{'s' * (len(found) > 1)} {layers}" if found else f"Model '{model.name}'"
    return Error(f"{what} cannot be converted: {cause}", details=message)


def _ops(node: Any, bodies: dict[str, Any]) -> set[str]:
    """Return a node's operation, and those in the functions that it calls, as loops do."""
    inside = (bodies.get(value.func.name, ()) for value in node.attr.values())
    return {node.op}.union(*(_ops(each, bodies) for body in inside for each in body))


def _type(node: Any) -> str | None:
    """Return the type that a node computes in, if it has one."""
    import tensorflow as tf

    return tf.dtypes.as_dtype(node.attr["T"].type).name if node.attr["T"].type else None


def _layer_of(node: str, names: Container[str]) -> str | None:
    """Return the innermost layer that a node is named after; TensorFlow numbers repeated names."""
    for part in reversed(node.split("/")):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in names:
                return name
    return None


def _with_signature(data: bytes) -> bytes:
    """Name input and output, as tensors and in a signature, which a frozen graph lacks."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.parse(data)
    graph = model.subgraphs[0]
    _take_floats(graph, flatbuffer.op_names(model))
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


def _take_floats(graph: Any, names: list[str]) -> None:
    """Leave out that the input becomes integers and at once floats again, as in models of uint8.

    Pixels are whole numbers, and stay so. The integers would be a border between XNNPACK and the
    built-in kernels, and the quantizer does not see past them.

    Args:
        graph: Changed.
        names: Of its operations.
    """
    (image,) = graph.inputs
    users = _users(graph, image)
    if [names[at] for at in users] != ["CAST"]:
        return
    (whole,) = graph.operators[users[0]].outputs
    back = _users(graph, whole)
    ends = [graph.operators[at].outputs[0] for at in back]
    if whole in graph.outputs or any(
        names[at] != "CAST" or flatbuffer.dtype_name(graph.tensors[end]) != "float32"
        for at, end in zip(back, ends, strict=True)
    ):
        return
    for at in {at for end in ends for at in _users(graph, end)}:
        op = graph.operators[at]
        op.inputs = [image if index in ends else index for index in op.inputs]
    graph.operators = [op for at, op in enumerate(graph.operators) if at not in (users + back)]


def _users(graph: Any, tensor: int) -> list[int]:
    """Return the places of the operations that take a tensor."""
    return [
        at for at, op in enumerate(graph.operators) if op.inputs is not None and tensor in op.inputs
    ]
