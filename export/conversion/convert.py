"""Conversion of Keras models to float32 TFLite files, from which all other files are made."""

from __future__ import annotations

import re
import traceback
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from cnn_keras.command import quiet
from cnn_keras.errors import Error, UsageError, keras_reason
from cnn_keras.model_files.nested_layers import operations
from cnn_keras.model_files.precision import in_float32
from cnn_keras.training.probabilities import with_probabilities

from ..tflite import flatbuffer

if TYPE_CHECKING:
    import keras

INPUT, OUTPUT, SIGNATURE = "image", "probabilities", "serving_default"


def convert(model: keras.Model) -> bytes:
    """Convert a Keras image classifier to a float32 TFLite file.

    The batch size is 1: a dynamic one leaves shape arithmetic in the graph and splits it between
    XNNPACK and the built-in kernels. The signature maps ``image`` to ``probabilities``; a model
    that ends with logits gets a softmax, see `cnn_keras.training.probabilities`. TensorFlow's own
    operations (Flex) are refused, because the runtime on a phone lacks them.

    Args:
        model: Classifier with one input `(batch, height, width, channels)` of fixed size and one
            output `(batch, num_classes)`, on Keras' TensorFlow backend. A model in another
            precision is rebuilt in float32.

    Returns:
        The file. The same weights give the same bytes.

    Raises:
        UsageError: The model is no such classifier, or Keras runs on another backend.
        Error: The model does not run on one image, or needs an operation that TFLite does not have.
            The message names the layer, and `details` holds the converter's whole message.

    Example:
        Path("lenet5.tflite").write_bytes(convert(model))
    """
    shape = _image_shape(model)
    model = in_float32(model)
    with quiet(1, 2):
        try:
            model = with_probabilities(model)
            traced = _trace(model, shape)
        except Exception as error:  # layers can raise anything
            raise Error(
                f"Model '{model.name}' does not run on one image {shape}: {keras_reason(error)}",
                details=traceback.format_exc(),
            ) from error
        data = _to_tflite(traced, model)
    return _with_signature(data)


def _image_shape(model: keras.Model) -> tuple[int, int, int, int]:
    """Return the shape `(1, height, width, channels)` of the file's input."""
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
    """Convert a function as a frozen graph, with its variables as constants.

    If it were also given the model, the converter would go through a SavedModel, which keeps
    variables that are read at run time (each splits the graph between XNNPACK and the built-in
    kernels) and takes twice the time and 8 GB more for VGG-16.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_concrete_functions([function])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    try:
        return bytes(converter.convert())
    except Exception as error:  # the converter's own, and those of freezing the graph
        raise _conversion_error(
            str(error) or repr(error), function.graph.as_graph_def(), model
        ) from None


def _conversion_error(message: str, graph: Any, model: keras.Model) -> Error:
    """Summarize the converter's message in one line: the layer, and the operation that is missing.

    Args:
        message: The converter's message, which names operations, but no layers.
        graph: The converted `GraphDef`, whose nodes are named after the layers around them.
        model: The model with these layers.
    """
    import keras

    missing: dict[str, str | None] = dict.fromkeys(re.findall(r"error: .*?'tf\.(\w+)'", message))
    bodies = {function.signature.name: function.node_def for function in graph.library.function}
    if len(missing) > 1:
        missing.pop("Placeholder", None)  # the inputs of a graph, never the cause
    nodes: list[Any] = []
    if missing:
        for op in missing:
            users = [node for node in graph.node if op in _ops(node, bodies)]
            if not_float := [node for node in users if _type(node) not in (None, "float32")]:
                missing[op] = f" of {_type(not_float[0])}"  # TFLite may have it for floats
            nodes += not_float or users
        names = ", ".join(op + (suffix or "") for op, suffix in missing.items())
        cause = f"TFLite has no operation {names}. Write it with other operations of keras.ops."
    else:
        errors = re.findall(r"error: (?!failed while converting)(.+)", message)
        cause = keras_reason(ValueError((errors or [message])[0]))
        words = set(cause.split())
        nodes = [node for node in graph.node if node.name in words]
    kinds = {
        layer.name: type(layer).__name__
        for layer in operations(model)
        if isinstance(layer, keras.Layer)
    }
    found = dict.fromkeys(filter(None, (_layer_of(node.name, kinds) for node in nodes)))
    layers = ", ".join(f"'{name}' ({kinds[name]})" for name in found)
    subject = f"Layer{'s' * (len(found) > 1)} {layers}" if found else f"Model '{model.name}'"
    return Error(f"{subject} cannot be converted: {cause}", details=message)


def _ops(node: Any, bodies: dict[str, Any]) -> set[str]:
    """Return a node's operation, and the operations of functions that it calls, as loops do."""
    inside = (bodies.get(value.func.name, ()) for value in node.attr.values())
    return {node.op}.union(*(_ops(each, bodies) for body in inside for each in body))


def _type(node: Any) -> str | None:
    """Return the data type that a node computes in, if it has one."""
    import tensorflow as tf

    return tf.dtypes.as_dtype(node.attr["T"].type).name if node.attr["T"].type else None


def _layer_of(node: str, names: Container[str]) -> str | None:
    """Return the innermost layer in a node's name; TensorFlow numbers repeated names."""
    for part in reversed(node.split("/")):
        for name in (part, re.sub(r"_\d+$", "", part)):
            if name in names:
                return name
    return None


def _with_signature(data: bytes) -> bytes:
    """Name the input and output tensors, and add a signature, which a frozen graph lacks."""
    from ai_edge_litert import schema_py_generated as schema

    model = flatbuffer.parse(data)
    graph = model.subgraphs[0]
    _remove_integer_casts(graph, flatbuffer.op_names(model))
    signature = schema.SignatureDefT()
    signature.signatureKey = SIGNATURE
    for name, index, field in (
        (INPUT, graph.inputs[0], "inputs"),
        (OUTPUT, graph.outputs[0], "outputs"),
    ):
        graph.tensors[index].name = name
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, int(index)
        setattr(signature, field, [entry])
    model.signatureDefs = [signature]
    return flatbuffer.pack(model)


def _remove_integer_casts(graph: Any, names: list[str]) -> None:
    """Remove the casts of an input to integers and back to floats, as in models of uint8 images.

    Pixels are whole numbers already. The casts would split the graph between XNNPACK and the
    built-in kernels, and the quantizer does not see past them.

    Args:
        graph: Changed in place.
        names: Names of its operations.
    """
    (image,) = graph.inputs
    consumers = _consumers(graph, image)
    if [names[at] for at in consumers] != ["CAST"]:
        return
    (integers,) = graph.operators[consumers[0]].outputs
    casts = _consumers(graph, integers)
    floats = [graph.operators[at].outputs[0] for at in casts]
    if integers in graph.outputs or any(
        names[at] != "CAST" or flatbuffer.dtype_name(graph.tensors[tensor]) != "float32"
        for at, tensor in zip(casts, floats, strict=True)
    ):
        return
    for at in {at for tensor in floats for at in _consumers(graph, tensor)}:
        op = graph.operators[at]
        op.inputs = [image if index in floats else index for index in op.inputs]
    removed = consumers + casts
    graph.operators = [op for at, op in enumerate(graph.operators) if at not in removed]


def _consumers(graph: Any, tensor: int) -> list[int]:
    """Return the indices of the operations that read a tensor."""
    return [
        at for at, op in enumerate(graph.operators) if op.inputs is not None and tensor in op.inputs
    ]
