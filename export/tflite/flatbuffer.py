"""A TFLite file as Python objects, read with care and written with alignment.

The native runtime trusts its input more than a command line may, so every file is parsed here, in
Python, before the runtime sees it.

Reference:
    TensorFlow Lite, ``tensorflow/compiler/mlir/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .interpreter import FILE_IDENTIFIER, ModelFileError

# The schema's `force_align` of a buffer's data: kernels read weights in blocks of 16 bytes.
BUFFER_ALIGNMENT = 16

# Operations that only change how a tensor is stored.
CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})

# Scopes of TensorFlow's functions, which are no layers.
_WITHIN_LAYERS = frozenset({"batchnorm", "moments", "Tensordot"})

# What the generated reader raises where an offset or a count is broken.
BROKEN = (
    AttributeError,
    IndexError,
    KeyError,
    MemoryError,
    NotImplementedError,
    OverflowError,
    RecursionError,
    TypeError,
    UnicodeDecodeError,
    ValueError,
    struct.error,
)


def parse(data: bytes) -> Any:
    """Read a TFLite file into the schema's object tree (``ModelT``).

    Args:
        data: The whole file, with or without associated files appended.

    Returns:
        A ``ModelT`` whose indices all point at something.

    Raises:
        ModelFileError: The bytes are no TFLite file, or only a part of one.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    if data[4:8] != FILE_IDENTIFIER:
        raise ModelFileError(
            f"Not a TFLite file: {len(data)} bytes, no {FILE_IDENTIFIER.decode()} in bytes 4 to 7."
        )
    try:
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(data))
        _check(model)
    except ModelFileError:
        raise
    except BROKEN as error:
        raise ModelFileError(
            f"Broken TFLite file ({len(data)} bytes), probably truncated; copy or export it again."
        ) from error
    return model


def pack(model: Any) -> bytes:
    """Write a ``ModelT`` as a TFLite file, each buffer aligned as the schema asks.

    The same model gives the same bytes.

    Args:
        model: What `parse` returned, perhaps changed. Its buffers are replaced by aligned ones.
    """
    import flatbuffers

    model.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(sum(buffer.size for buffer in model.buffers) + 65536)
    builder.Finish(model.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


@contextmanager
def mapped(file: str | Path) -> Iterator[Any]:
    """Map a sound file into memory as the schema's ``Model``, of which only what is read is loaded.

    It is not checked: for files that LiteRT has run.
    """
    from ai_edge_litert import schema_py_generated as schema

    with Path(file).open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
        yield schema.Model.GetRootAs(data, 0)


def has_dynamic_batch(file: str | Path) -> bool:
    """Return whether a sound file leaves the number of images open."""
    with mapped(file) as model:
        graph = model.Subgraphs(0)
        image = graph.Tensors(graph.Inputs(0))
        return bool(image.ShapeSignatureLength() and image.ShapeSignature(0) == -1)


def weight_shapes(file: str | Path) -> list[tuple[int, ...]]:
    """Return the shapes of a sound file's weights, sorted: those of its network by any recipe."""
    with mapped(file) as model:
        graph = model.Subgraphs(0)
        tensors = map(graph.Tensors, range(graph.TensorsLength()))
        return sorted(
            tuple(map(tensor.Shape, range(tensor.ShapeLength())))
            for tensor in tensors
            if tensor.ShapeLength() > 1 and _has_data(model.Buffers(tensor.Buffer()))
        )


def _has_data(buffer: Any) -> bool:
    return bool(buffer.DataLength() or buffer.Offset() > 1)  # behind the model, in files above 2 GB


def op_names(model: Any) -> list[str]:
    """Return the names of the main graph's operations, in order.

    A custom operation has its own name; TensorFlow's (Flex) begin with ``Flex``.
    """
    from ai_edge_litert import schema_py_generated as schema

    names = _names(schema.BuiltinOperator)
    codes = [
        code.customCode.decode()
        if code.customCode
        else names[max(code.builtinCode, code.deprecatedBuiltinCode)]
        for code in model.operatorCodes
    ]
    return [codes[op.opcodeIndex] for op in model.subgraphs[0].operators]


def dtype_name(tensor: Any) -> str:
    """Return a tensor's type as numpy names it, for example ``"int8"``."""
    from ai_edge_litert import schema_py_generated as schema

    return _names(schema.TensorType)[tensor.type].lower()


def name_of(tensor: Any) -> str:
    """Return a tensor's name; it may have none."""
    return tensor.name.decode() if tensor.name else ""


def scope_of(tensor: str) -> str:
    """Return the scopes of the Keras layer that a tensor was made from; without any, its name.

    The first scope is the model's; what is computed right in it belongs to no layer. Keras 3
    numbers the scopes of models and layers, Keras 2 does not. Of several layers, fused, the last
    counts.

    Args:
        tensor: Its name.

    Example:
        >>> scope_of("lenet5_1/c3_1/BiasAdd;lenet5_1/c3_1/convolution")
        'lenet5_1/c3_1'
        >>> scope_of("sequential/norm/moments/mean")
        'sequential/norm'
    """
    scopes = tensor.split(";")[0].split("/")[:-1]
    if all(map(is_numbered, scopes[:2])):
        while scopes and not is_numbered(scopes[-1]):
            scopes.pop()
    else:
        while scopes and scopes[-1] in _WITHIN_LAYERS:
            scopes.pop()
    return "/".join(scopes) if len(scopes) > 1 else tensor


def is_numbered(scope: str) -> bool:
    """Return whether a scope ends with a number, as Keras 3 has them.

    Example:
        >>> is_numbered("conv2_1_a_1"), is_numbered("dense")
        (True, False)
    """
    return re.search(r"_\d+$", scope) is not None


def is_constant(model: Any, tensor: Any) -> bool:
    """Return whether the file holds a tensor's values."""
    data = model.buffers[tensor.buffer].data
    return data is not None and len(data) > 0


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Return a tensor's shape; -1 stands for a size that is known only when it runs."""
    signature, shape = tensor.shapeSignature, tensor.shape
    sizes = shape if signature is None or len(signature) == 0 else signature
    return tuple(int(size) for size in ([] if sizes is None else sizes))


def quantization_of(tensor: Any) -> tuple[float, int]:
    """Return a tensor's scale and zero point, the first channel's; 0.0 and 0 if it has none."""
    parameters = tensor.quantization
    if parameters is None or dtype_name(tensor).startswith("float"):
        return 0.0, 0
    scales, zero_points = _listed(parameters.scale), _listed(parameters.zeroPoint)
    return float([*scales[:1], 0.0][0]), int([*zero_points[:1], 0][0])


class _AlignedBuffer:
    """A buffer that packs itself 16-aligned; the generated ``BufferT`` aligns to one byte."""

    def __init__(self, data: NDArray[np.uint8] | list[int] | bytes | None) -> None:
        if isinstance(data, np.ndarray):
            data = data.tobytes()
        self.data = None if data is None else np.frombuffer(bytes(data), np.uint8)
        self.size = 0 if data is None else len(data)

    def Pack(self, builder: Any) -> int:  # noqa: N802 (the generated code calls it so)
        from ai_edge_litert import schema_py_generated as schema

        if self.data is not None:
            builder.Prep(BUFFER_ALIGNMENT, self.size)
            data = builder.CreateNumpyVector(self.data)
        schema.BufferStart(builder)
        if self.data is not None:
            schema.BufferAddData(builder, data)
        return int(schema.BufferEnd(builder))


def _names(enum: type) -> dict[int, str]:
    return {code: name for name, code in vars(enum).items() if isinstance(code, int)}


def _check(model: Any) -> None:
    """Raise where the file means nothing, which neither reader nor runtime notices."""
    if not model.subgraphs or not model.buffers:
        raise IndexError("no graph")
    if not any(_listed(graph.operators) for graph in model.subgraphs):
        raise ModelFileError(
            "A TFLite file without operations, which computes nothing; export the whole model."
        )
    for graph in model.subgraphs:
        tensors = len(graph.tensors)
        for tensor in graph.tensors:
            name_of(tensor)
            _check_quantization(tensor)
        _check_range(graph.inputs, tensors)
        _check_range(graph.outputs, tensors)
        _check_range((tensor.buffer for tensor in graph.tensors), len(model.buffers))
        for op in graph.operators:
            _check_range([op.opcodeIndex], len(model.operatorCodes))
            _check_range(_listed(op.inputs), tensors, lowest=-1)  # -1: an input left out
            _check_range(op.outputs, tensors)
        _check_order(model, graph)
    op_names(model)
    _check_range((entry.buffer for entry in _listed(model.metadata)), len(model.buffers))
    for signature in _listed(model.signatureDefs):
        _check_range([signature.subgraphIndex], len(model.subgraphs))
        signature.signatureKey.decode()
        tensors = len(model.subgraphs[signature.subgraphIndex].tensors)
        for entry in [*_listed(signature.inputs), *_listed(signature.outputs)]:
            entry.name.decode()
            _check_range([entry.tensorIndex], tensors)


def _check_quantization(tensor: Any) -> None:
    """Raise where a scale is impossible, or a zero point none of the tensor's integers."""
    quantization, dtype = tensor.quantization, dtype_name(tensor)
    if quantization is None:
        return
    scales = np.array(_listed(quantization.scale))
    zero_points = np.array(_listed(quantization.zeroPoint))
    if not np.isfinite(scales).all() or (scales < np.finfo(np.float32).smallest_normal).any():
        raise ValueError("a scale is impossible")  # kernels make tables and shifts of it
    if dtype in ("int8", "uint8", "int16") and zero_points.size:
        limits = np.iinfo(dtype)
        if zero_points.min() < limits.min or zero_points.max() > limits.max:
            raise ValueError(f"a zero point is no {dtype}")


def _check_order(model: Any, graph: Any) -> None:
    """Raise where an operation needs what nothing has computed, or computes what is known.

    A custom operation may well: vendors' compilers hand it memory to work in so.
    """
    known = {
        index
        for index, tensor in enumerate(graph.tensors)
        if is_constant(model, tensor) or tensor.isVariable or 0 in shape_of(tensor)
    } | {*graph.inputs}
    for op in graph.operators:
        needed = {index for index in _listed(op.inputs) if index >= 0}
        if not known >= needed and not model.operatorCodes[op.opcodeIndex].customCode:
            raise ValueError("an operation needs what nothing has computed")
        if not known.isdisjoint(op.outputs):
            raise ValueError("an operation computes what is known already")
        known.update(op.outputs)
    if not known.issuperset(graph.outputs):
        raise ValueError("nothing computes the output")


def _listed(values: Any) -> Any:
    return [] if values is None else values


def _check_range(indices: Iterable[int], length: int, lowest: int = 0) -> None:
    if any(not lowest <= index < length for index in indices):
        raise IndexError("index out of range")
