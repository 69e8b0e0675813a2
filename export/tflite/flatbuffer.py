"""Parse TFLite files into Python objects, check them, and write them aligned.

The native runtime trusts its input more than a command line may, so every file is parsed and
checked here, in Python, before the runtime loads it.

Reference:
    TensorFlow Lite, ``tensorflow/compiler/mlir/lite/schema/schema.fbs``.
"""

from __future__ import annotations

import copy
import re
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .interpreter import FILE_IDENTIFIER, ModelFileError

# The schema's `force_align` of a buffer's data: kernels read weights in blocks of 16 bytes.
BUFFER_ALIGNMENT = 16

# Operations that only change the type in which a tensor is stored.
CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})

# Scopes of TensorFlow's functions, which are not layers.
_WITHIN_LAYERS = frozenset({"batchnorm", "moments", "Tensordot"})

# Exceptions of the generated reader where an offset or a count is broken.
PARSE_ERRORS = (
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


class ModelFile:
    """A TFLite file that is parsed once, at first use.

    Args:
        content: The whole file, with or without associated files appended.

    Example:
        file = ModelFile(content)
        file.model.subgraphs[0].operators
    """

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def model(self) -> Any:
        """The file as the schema's ``ModelT``, which its users share and must not change.

        Raises:
            ModelFileError: See `parse`.
        """
        return parse(self.content)


def as_model_file(file: bytes | ModelFile) -> ModelFile:
    """Return a file that is parsed at most once; one that has been parsed stays so."""
    return file if isinstance(file, ModelFile) else ModelFile(file)


def parse(data: bytes | bytearray) -> Any:
    """Parse a TFLite file into the schema's object tree (``ModelT``).

    Args:
        data: The whole file, with or without associated files appended. The values of its buffers
            are views of it, and writable if it is a ``bytearray``.

    Returns:
        A ``ModelT`` without indices out of range.

    Raises:
        ModelFileError: The bytes are not a TFLite file, or only a part of one.
    """
    from ai_edge_litert.tools import flatbuffer_utils

    if data[4:8] != FILE_IDENTIFIER:
        raise ModelFileError(
            f"Not a TFLite file: {len(data)} bytes, no {FILE_IDENTIFIER.decode()} in bytes 4 to 7."
        )
    try:
        model = flatbuffer_utils.read_model_from_bytearray(data)
        _check(model)
    except ModelFileError:
        raise
    except PARSE_ERRORS as error:
        raise ModelFileError(
            f"Broken TFLite file ({len(data)} bytes), probably truncated; copy or export it again."
        ) from error
    return model


def pack(model: Any) -> bytes:
    """Write a ``ModelT`` as a TFLite file, each buffer aligned as the schema requires.

    The same model gives the same bytes.

    Args:
        model: A ``ModelT``, which is not changed.
    """
    import flatbuffers

    aligned = copy.copy(model)
    aligned.buffers = [_AlignedBuffer(buffer.data) for buffer in model.buffers]
    builder = flatbuffers.Builder(sum(buffer.size for buffer in aligned.buffers) + 65536)
    builder.Finish(aligned.Pack(builder), file_identifier=FILE_IDENTIFIER)
    return bytes(builder.Output())


@contextmanager
def memory_map(file: str | Path) -> Iterator[Any]:
    """Map a valid file into memory as the schema's ``Model``, which loads only what is read.

    The file is not checked: for files that LiteRT has run.
    """
    from ai_edge_litert import schema_py_generated as schema

    with Path(file).open("rb") as opened, mmap(opened.fileno(), 0, access=ACCESS_READ) as data:
        yield schema.Model.GetRootAs(data, 0)


def has_dynamic_batch(file: str | Path) -> bool:
    """Return whether a valid file has a dynamic batch size."""
    with memory_map(file) as model:
        graph = model.Subgraphs(0)
        image = graph.Tensors(graph.Inputs(0))
        return bool(image.ShapeSignatureLength() and image.ShapeSignature(0) == -1)


def weight_shapes(file: str | Path) -> list[tuple[int, ...]]:
    """Return the sorted shapes of a valid file's weights; they are the same for every recipe."""
    with memory_map(file) as model:
        graph = model.Subgraphs(0)
        tensors = map(graph.Tensors, range(graph.TensorsLength()))
        return sorted(
            tuple(map(tensor.Shape, range(tensor.ShapeLength())))
            for tensor in tensors
            if tensor.ShapeLength() > 1 and _has_data(model.Buffers(tensor.Buffer()))
        )


def _has_data(buffer: Any) -> bool:
    return bool(buffer.DataLength() or buffer.Offset() > 1)  # after the model, in files above 2 GB


def op_names(model: Any) -> list[str]:
    """Return the names of the main graph's operations, in order.

    A custom operation has its own name; the names of TensorFlow's operations begin with ``Flex``.
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
    """Return the numpy name of a tensor's type, for example ``"int8"``."""
    from ai_edge_litert import schema_py_generated as schema

    return _names(schema.TensorType)[tensor.type].lower()


def name_of(tensor: Any) -> str:
    """Return a tensor's name, which may be empty."""
    return tensor.name.decode() if tensor.name else ""


def scope_of(tensor: str) -> str:
    """Return the scope of the Keras layer that computes a tensor; without one, the tensor's name.

    The first scope is the model's; what is computed directly in it belongs to no layer. Keras 3
    numbers the scopes of models and layers, Keras 2 does not. Of several fused layers the last
    counts.

    Args:
        tensor: Name of the tensor.

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


def layer_of(tensor: str) -> str:
    """Return the Keras layer of a tensor of a file; of several fused layers, the last.

    Example:
        >>> layer_of("lenet5_1/c3_1/BiasAdd;lenet5_1/c3_1/convolution")
        'c3'
        >>> layer_of("resnet20_1/conv2_1_b_bn_1/batchnorm/add_1;resnet20_1/conv2_1_b_1/convolution")
        'conv2_1_b_bn'
    """
    scope = scope_of(tensor)
    if scope == tensor:
        return tensor
    model, *_, layer = scope.split("/")
    return re.sub(r"_\d+$", "", layer) if is_numbered(model) else layer


def is_numbered(scope: str) -> bool:
    """Return whether a scope ends with a number, as those of Keras 3 do.

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
    """Return a tensor's shape; -1 is a dynamic size."""
    signature, shape = tensor.shapeSignature, tensor.shape
    sizes = shape if signature is None or len(signature) == 0 else signature
    return tuple(int(size) for size in ([] if sizes is None else sizes))


def quantization_of(tensor: Any) -> tuple[float, int]:
    """Return the scale and zero point of a tensor's first channel; 0.0 and 0 if it has none."""
    parameters = tensor.quantization
    if parameters is None or dtype_name(tensor).startswith("float"):
        return 0.0, 0
    scales, zero_points = _or_empty(parameters.scale), _or_empty(parameters.zeroPoint)
    return float([*scales[:1], 0.0][0]), int([*zero_points[:1], 0][0])


class _AlignedBuffer:
    """A buffer that packs itself 16-aligned; the generated ``BufferT`` aligns to one byte."""

    def __init__(self, data: NDArray[np.uint8] | list[int] | bytes | None) -> None:
        if data is None or (isinstance(data, np.ndarray) and data.dtype == np.uint8):
            self.data = data
        else:
            self.data = np.frombuffer(bytes(data), np.uint8)
        self.size = 0 if self.data is None else self.data.size

    def Pack(self, builder: Any) -> int:  # noqa: N802 (name of the generated method)
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
    """Raise for errors that neither the generated reader nor the runtime detects."""
    if not model.subgraphs or not model.buffers:
        raise IndexError("no graph")
    if not any(_or_empty(graph.operators) for graph in model.subgraphs):
        raise ModelFileError(
            "A TFLite file without operations computes nothing; export the whole model."
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
            _check_range(_or_empty(op.inputs), tensors, lowest=-1)  # -1: an input left out
            _check_range(op.outputs, tensors)
        _check_order(model, graph)
    op_names(model)
    _check_range((entry.buffer for entry in _or_empty(model.metadata)), len(model.buffers))
    for signature in _or_empty(model.signatureDefs):
        _check_range([signature.subgraphIndex], len(model.subgraphs))
        signature.signatureKey.decode()
        tensors = len(model.subgraphs[signature.subgraphIndex].tensors)
        for entry in [*_or_empty(signature.inputs), *_or_empty(signature.outputs)]:
            entry.name.decode()
            _check_range([entry.tensorIndex], tensors)


def _check_quantization(tensor: Any) -> None:
    """Raise if a scale is impossible, or a zero point is outside the tensor's type."""
    quantization, dtype = tensor.quantization, dtype_name(tensor)
    if quantization is None:
        return
    scales = np.array(_or_empty(quantization.scale))
    zero_points = np.array(_or_empty(quantization.zeroPoint))
    if not np.isfinite(scales).all() or (scales < np.finfo(np.float32).smallest_normal).any():
        raise ValueError("a scale is impossible")  # kernels derive tables and shifts from it
    if dtype in ("int8", "uint8", "int16") and zero_points.size:
        limits = np.iinfo(dtype)
        if zero_points.min() < limits.min or zero_points.max() > limits.max:
            raise ValueError(f"a zero point is outside {dtype}")


def _check_order(model: Any, graph: Any) -> None:
    """Raise if an operation reads a tensor before it is computed, or computes one twice.

    A custom operation may do the first: vendors' compilers pass it scratch memory this way.
    """
    known = {
        index
        for index, tensor in enumerate(graph.tensors)
        if is_constant(model, tensor) or tensor.isVariable or 0 in shape_of(tensor)
    } | {*graph.inputs}
    for op in graph.operators:
        needed = {index for index in _or_empty(op.inputs) if index >= 0}
        if not known >= needed and not model.operatorCodes[op.opcodeIndex].customCode:
            raise ValueError("an operation reads a tensor before it is computed")
        if not known.isdisjoint(op.outputs):
            raise ValueError("an operation computes a tensor that has a value")
        known.update(op.outputs)
    if not known.issuperset(graph.outputs):
        raise ValueError("no operation computes the output")


def _or_empty(values: Any) -> Any:
    return [] if values is None else values


def _check_range(indices: Iterable[int], length: int, lowest: int = 0) -> None:
    if any(not lowest <= index < length for index in indices):
        raise IndexError("index out of range")
