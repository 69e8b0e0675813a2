"""How much each type of each layer costs in accuracy: by simulation, without making files.

The layer is rounded within the float32 file, while all others stay as they are: its weights to the
values that they have in 8 or 4 bits, and what it computes to the 256 values of 8-bit activations.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.training.evaluate import Probabilities

from ..conversion.quantize import Ranges
from ..tflite.flatbuffer import dtype_name, is_constant, name_of, op_names, pack, parse
from ..tflite.interpreter import Interpreter
from .layers import Layer, LayerType

MAX_IMAGES, MIN_IMAGES = 256, 16
MAX_SECS = 120.0
"""Seconds that sensitivities may take, with more than `MIN_IMAGES`."""

_WEIGHT_STEPS = {"int8": 127, "int4": 7}  # on either side of 0
_ACTIVATION_STEPS = 255


def sensitivities(
    float32: bytes,
    layers: Sequence[Layer],
    ranges: Ranges,
    images: Float32Images,
    reference: Probabilities,
    advance: Callable[[], None] = lambda: None,
) -> list[dict[LayerType, float]]:
    """Return the divergence of the network if one layer alone has a type, for each layer and type.

    Args:
        float32: The float32 file.
        layers: Its layers.
        ranges: Ranges of its tensors from calibration.
        images: Preprocessed held-out images `(n, height, width, channels)`.
        reference: The Keras model's probabilities for them.
        advance: Called after each layer and type.
    """
    found = []
    for layer in layers:
        by_type: dict[LayerType, float] = {"float32": 0.0}
        for of in layer.types:
            if of != "float32":
                outputs = Interpreter(rounded_file(float32, layer, of, ranges))(images)
                by_type[of] = divergence(reference, outputs)
                advance()
        found.append(by_type)
    return found


def affordable_images(float32: bytes, layers: Sequence[Layer], images: Float32Images) -> int:
    """Return the number of images on which sensitivities can be measured in `MAX_SECS`.

    Args:
        float32: The float32 file.
        layers: Its layers.
        images: Some images, to time the file on.
    """
    interpreter = Interpreter(float32)
    interpreter(images[:1])
    start = time.perf_counter()
    interpreter(images[1:5])
    secs = (time.perf_counter() - start) / max(len(images[1:5]), 1)
    files = sum(len(layer.types) - 1 for layer in layers)
    return max(MIN_IMAGES, min(MAX_IMAGES, int(MAX_SECS / max(secs * files, 1e-9))))


def divergence(reference: Probabilities, outputs: Probabilities) -> float:
    """Return the mean Kullback-Leibler divergence of a file's probabilities from the model's.

    Unlike the accuracy it changes with every rounding, and it needs no labels.
    """
    expected, found = (np.clip(each.astype(np.float64), 1e-7, 1) for each in (reference, outputs))
    return max(0.0, float((expected * np.log(expected / found)).sum(axis=1).mean()))


def rounded_file(float32: bytes, layer: Layer, of: LayerType, ranges: Ranges) -> bytes:
    """Return the float32 file with one layer rounded as in a static integer file."""
    model = parse(bytearray(float32))
    graph = model.subgraphs[0]
    for op, name in zip(graph.operators, op_names(model), strict=True):
        if name_of(graph.tensors[op.outputs[0]]) == layer.kernel:
            _round_weights(model, op, name, _WEIGHT_STEPS[of])
    _round_activations(model, layer.tensors, ranges)
    return pack(model)


def _round_weights(model: Any, op: Any, name: str, steps: int) -> None:
    """Round the kernel of an operation, each filter by its own scale."""
    tensor = model.subgraphs[0].tensors[op.inputs[1]]
    if not is_constant(model, tensor):
        return
    buffer = model.buffers[tensor.buffer]
    values = np.frombuffer(bytes(buffer.data), np.float32).reshape(tensor.shape)
    channel = 3 if name == "DEPTHWISE_CONV_2D" else 0
    others = tuple(axis for axis in range(values.ndim) if axis != channel)
    scale = np.abs(values).max(axis=others, keepdims=True) / steps
    rounded = np.round(values / np.where(scale > 0, scale, 1)) * scale
    buffer.data = np.frombuffer(rounded.astype(np.float32).tobytes(), np.uint8)


def _round_activations(model: Any, names: Sequence[str], ranges: Ranges) -> None:
    """Quantize the computed tensors of these names, and dequantize them again."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    codes = {
        each: _add_code(model, getattr(schema.BuiltinOperator, each))
        for each in ("QUANTIZE", "DEQUANTIZE")
    }
    operators = []
    moved: dict[int, int] = {}  # tensors, to those that take their place
    for op in graph.operators:
        op.inputs = [moved.get(int(index), int(index)) for index in op.inputs]
        operators.append(op)
        for index in map(int, op.outputs):
            tensor = graph.tensors[index]
            if name_of(tensor) not in names or index in graph.outputs or not _is_float(tensor):
                continue
            graph.tensors += [_quantized(tensor, ranges[name_of(tensor)]), copy.copy(tensor)]
            restored = len(graph.tensors) - 1
            operators += [
                _conversion(codes["QUANTIZE"], index, restored - 1),
                _conversion(codes["DEQUANTIZE"], restored - 1, restored),
            ]
            moved[index] = restored
    graph.operators = operators


def _is_float(tensor: Any) -> bool:
    return dtype_name(tensor) == "float32"


def _quantized(tensor: Any, known: Mapping[str, NDArray[Any]]) -> Any:
    """Return a tensor of the same shape in 8 bits, for a range that includes 0."""
    from ai_edge_litert import schema_py_generated as schema

    low, high = min(float(known["min"].min()), 0.0), max(float(known["max"].max()), 0.0)
    scale = max((high - low) / _ACTIVATION_STEPS, 1e-8)
    found = copy.copy(tensor)
    found.type = schema.TensorType.INT8
    found.quantization = schema.QuantizationParametersT()
    found.quantization.scale = [scale]
    found.quantization.zeroPoint = [round(-128 - low / scale)]
    return found


def _conversion(code: int, source: int, target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    op = schema.OperatorT()
    op.opcodeIndex, op.inputs, op.outputs = code, [source], [target]
    return op


def _add_code(model: Any, builtin: int) -> int:
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = builtin
    code.version = 1
    model.operatorCodes.append(code)
    return len(model.operatorCodes) - 1
