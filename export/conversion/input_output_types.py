"""Unsigned inputs and outputs, which the quantizer does not make: it has int8.

LiteRT's QUANTIZE from uint8 to int8 is none of XNNPACK's operations, and the built-in one costs a
sixth of a small network at 224 × 224. By way of float32, with one scale on both sides, the same
integers come out, and XNNPACK runs both halves in no measurable time.
"""

from __future__ import annotations

from copy import copy
from typing import Any

from ..tflite.flatbuffer import op_names, quantization_of

_OFFSET = 128  # between the zero points of int8 and uint8


def unsigned_input(model: Any) -> None:
    """Give a file with an int8 input one of uint8.

    Args:
        model: A ``ModelT``, which is changed.
    """
    graph = model.subgraphs[0]
    (signed,) = graph.inputs
    unsigned = _copied(graph, signed, b"")
    _make_unsigned(graph.tensors[unsigned])
    graph.tensors[signed].name += b"_int8"
    graph.operators[:0] = _conversion(model, unsigned, signed)
    graph.inputs = [unsigned]
    for signature in model.signatureDefs:
        signature.inputs[0].tensorIndex = unsigned


def unsigned_output(model: Any) -> None:
    """Give a file with an int8 output one of uint8.

    Args:
        model: A ``ModelT``, which is changed.
    """
    graph = model.subgraphs[0]
    (signed,) = graph.outputs
    if op_names(model)[-1] == "QUANTIZE":  # of float probabilities
        _make_unsigned(graph.tensors[signed])
        return
    unsigned = _copied(graph, signed, b"_uint8")
    _make_unsigned(graph.tensors[unsigned])
    graph.operators += _conversion(model, signed, unsigned)
    graph.outputs = [unsigned]
    for signature in model.signatureDefs:
        signature.outputs[0].tensorIndex = unsigned


def _conversion(model: Any, source: int, target: int) -> list[Any]:
    """Return the operations from one integer tensor to another."""
    from ai_edge_litert import schema_py_generated as schema

    graph = model.subgraphs[0]
    between = _copied(graph, source, b"_float32")
    graph.tensors[between].type = schema.TensorType.FLOAT32
    graph.tensors[between].quantization = None
    return [
        _operator(model, "DEQUANTIZE", source, between),
        _operator(model, "QUANTIZE", between, target),
    ]


def _copied(graph: Any, index: int, suffix: bytes) -> int:
    """Add a tensor like another, and return its index."""
    tensor = copy(graph.tensors[index])
    tensor.name += suffix
    graph.tensors.append(tensor)
    return len(graph.tensors) - 1


def _make_unsigned(tensor: Any) -> None:
    """Turn an int8 tensor into one of uint8 for the same numbers."""
    from ai_edge_litert import schema_py_generated as schema

    scale, zero_point = quantization_of(tensor)
    tensor.type = schema.TensorType.UINT8
    tensor.quantization = schema.QuantizationParametersT(
        scale=[scale], zeroPoint=[zero_point + _OFFSET]
    )


def _operator(model: Any, name: str, source: int, target: int) -> Any:
    """Return an operation of one tensor; its number is added where the file lacks it."""
    from ai_edge_litert import schema_py_generated as schema

    code = getattr(schema.BuiltinOperator, name)
    codes = [known.builtinCode for known in model.operatorCodes]
    if code not in codes:
        model.operatorCodes.append(
            schema.OperatorCodeT(builtinCode=code, deprecatedBuiltinCode=code, version=1)
        )
        codes.append(code)
    return schema.OperatorT(opcodeIndex=codes.index(code), inputs=[source], outputs=[target])
