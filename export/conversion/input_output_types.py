"""Unsigned (uint8) inputs and outputs, which the quantizer does not support: it has int8.

XNNPACK does not run LiteRT's QUANTIZE from uint8 to int8, and the built-in operation takes a sixth
of the time of a small network at 224 × 224. A conversion through float32, with the same scale on
both sides, gives the same integers, and XNNPACK runs both halves in no measurable time.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from ..tflite.flatbuffer import op_names, quantization_of

_OFFSET = 128  # from the zero point of int8 to that of uint8


def make_input_unsigned(model: Any) -> None:
    """Change the int8 input of a file to uint8.

    Args:
        model: A ``ModelT``, changed in place.
    """
    graph = model.subgraphs[0]
    (signed,) = graph.inputs
    unsigned = _add_copy(graph, signed, b"")
    _make_unsigned(graph.tensors[unsigned])
    graph.tensors[signed].name += b"_int8"
    graph.operators[:0] = _conversion(model, unsigned, signed)
    graph.inputs = [unsigned]
    for signature in model.signatureDefs:
        signature.inputs[0].tensorIndex = unsigned


def make_output_unsigned(model: Any) -> None:
    """Change the int8 output of a file to uint8.

    Args:
        model: A ``ModelT``, changed in place.
    """
    graph = model.subgraphs[0]
    (signed,) = graph.outputs
    if op_names(model)[-1] == "QUANTIZE":  # of float probabilities
        _make_unsigned(graph.tensors[signed])
        return
    unsigned = _add_copy(graph, signed, b"_uint8")
    _make_unsigned(graph.tensors[unsigned])
    graph.operators += _conversion(model, signed, unsigned)
    graph.outputs = [unsigned]
    for signature in model.signatureDefs:
        signature.outputs[0].tensorIndex = unsigned


def _conversion(model: Any, source: int, target: int) -> list[Any]:
    """Return the operations that convert one integer tensor to another."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    between = _add_copy(graph, source, b"_float32")
    graph.tensors[between].type = schema.TensorType.FLOAT32
    graph.tensors[between].quantization = None
    return [
        _operator(model, "DEQUANTIZE", source, between),
        _operator(model, "QUANTIZE", between, target),
    ]


def _add_copy(graph: Any, index: int, suffix: bytes) -> int:
    """Add a copy of a tensor to the graph, and return its index."""
    tensor = copy(graph.tensors[index])
    tensor.name += suffix
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _make_unsigned(tensor: Any) -> None:
    """Turn an int8 tensor into a uint8 tensor of the same numbers."""
    from ai_edge_litert import schema_py_generated as schema

    scale, zero_point = quantization_of(tensor)
    tensor.type = schema.TensorType.UINT8
    tensor.quantization = schema.QuantizationParametersT(
        scale=[scale], zeroPoint=[zero_point + _OFFSET]
    )


def _operator(model: Any, name: str, source: int, target: int) -> Any:
    """Return an operation on one tensor; its code is added to the file if missing."""
    from ai_edge_litert import schema_py_generated as schema

    code = getattr(schema.BuiltinOperator, name)
    codes = [known.builtinCode for known in model.operatorCodes]
    if code not in codes:
        model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=1)
        )
        codes.append(code)
    return schema.OperatorT(opcodeIndex=codes.index(code), inputs=[source], outputs=[target])
