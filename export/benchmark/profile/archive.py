"""Write the files that `operator_runner` times into one archive."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...tflite.flatbuffer import pack, parse
from ...tflite.raw_model import RawModel
from .operator_runner import CALL, WHOLE
from .operators import Operator, model_of, operators

PEAKS = {
    "float32_256": ("float32", 14, 256),
    "float32_128": ("float32", 28, 128),
    "int8_256": ("int8", 14, 256),
    "int8_128": ("int8", 28, 128),
}
"""Convolutions of 1×1 that are as fast as any: type, side of the map, and channels."""


class Archive(NamedTuple):
    """What is in an archive.

    Attributes:
        operators: The operations of the file, without their contents.
        names: Names of their files.
        fused_names: Names of the files of the operations that are fused into others.
    """

    operators: list[Operator]
    names: list[str]
    fused_names: list[str]


def write_archive(file: str, image: NDArray[Any], archive: str) -> Archive:
    """Write a file, its operations and their inputs into an archive.

    LiteRT runs the file in this process, which a damaged file can crash; see `tflite.isolation`.

    Args:
        file: Path of the file.
        image: Its input `(1, height, width, channels)`, in its own type.
        archive: Path of the ZIP file to write.

    Raises:
        ModelFileError: LiteRT cannot run the file.
    """
    content = Path(file).read_bytes()
    found = operators(parse(content))
    preserved = RawModel(content, preserve_tensors=True)
    preserved.set_inputs([image])
    preserved.invoke()
    named = {f"{index:03}": operator for index, operator in enumerate(found)}
    fused = {
        f"{name}_fused{index}": each
        for name, operator in named.items()
        for index, each in enumerate(operator.fused)
    }
    with zipfile.ZipFile(archive, "w") as opened:
        _write(opened, WHOLE, content, [image])
        _write(opened, CALL, _call_file(), [np.zeros((1, 1, 1, 1), np.float32)])
        for name, operator in (named | fused).items():
            _write(opened, name, operator.content, map(preserved.tensor, operator.inputs))
        for name, (dtype, side, channels) in PEAKS.items():
            ones = np.ones((1, side, side, channels), dtype)
            _write(opened, name, _convolution_file(dtype, side, channels), [ones])
    return Archive([_without_content(operator) for operator in found], [*named], [*fused])


def _without_content(operator: Operator) -> Operator:
    fused = tuple(map(_without_content, operator.fused))
    return operator._replace(content=b"", fused=fused)


def _write(archive: zipfile.ZipFile, name: str, content: bytes, inputs: Any) -> None:
    archive.writestr(f"{name}.tflite", content)
    for index, array in enumerate(inputs):
        buffer = BytesIO()
        np.save(buffer, array)
        archive.writestr(f"{name}_{index}.npy", buffer.getvalue())


def _call_file() -> bytes:
    """Return a file whose operation does next to nothing: its latency is that of a call."""
    shape = (1, 1, 1, 1)
    return _file("NEG", [_tensor("input", shape), _tensor("output", shape)], [0], [1], None, [])


def _convolution_file(dtype: str, side: int, channels: int) -> bytes:
    """Return a file with a convolution of 1×1 that keeps the number of channels."""
    from ai_edge_litert import schema_py_generated as schema

    options = schema.Conv2DOptionsT()
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.padding = schema.Padding.VALID
    bias = "int32" if dtype == "int8" else "float32"
    shape = (1, side, side, channels)
    scale = 1 / 64 if dtype == "int8" else 0.0
    tensors = [
        _tensor("input", shape, dtype, scale),
        _tensor("kernel", (channels, 1, 1, channels), dtype, scale, buffer=1),
        _tensor("bias", (channels,), bias, scale**2, buffer=2),
        _tensor("output", shape, dtype, scale),
    ]
    values = [np.ones(channels**2, dtype), np.zeros(channels, bias)]
    return _file("CONV_2D", tensors, [0, 1, 2], [3], options, values)


def _tensor(
    name: str,
    shape: Sequence[int],
    dtype: str = "float32",
    scale: float = 0.0,
    buffer: int = 0,
) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    tensor = schema.TensorT()
    tensor.name, tensor.shape, tensor.buffer = name, list(shape), buffer
    tensor.type = getattr(schema.TensorType, dtype.upper())
    if scale:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [0]
    return tensor


def _file(
    op: str,
    tensors: list[Any],
    inputs: list[int],
    outputs: list[int],
    options: Any,
    constants: Sequence[NDArray[Any]],
) -> bytes:
    """Return a file with one operation, whose first input is the file's."""
    from ai_edge_litert import schema_py_generated as schema

    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, op)
    code.version = 3 if op == "CONV_2D" else 1  # of the operation with int8
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = inputs, outputs
    if options is not None:
        operator.builtinOptions = options
        operator.builtinOptionsType = schema.BuiltinOptions.Conv2DOptions
    graph = schema.SubGraphT()
    graph.tensors, graph.operators = tensors, [operator]
    graph.inputs, graph.outputs = inputs[:1], outputs
    buffers = [schema.BufferT()]
    for values in constants:
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        buffers.append(buffer)
    return pack(model_of([code], buffers, graph))
