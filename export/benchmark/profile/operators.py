"""Cut a `.tflite` file into files of one operation each."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.layer_names import row_of

from ...tflite.find_lrn import lrn_tensors
from ...tflite.flatbuffer import (
    dtype_name,
    is_constant,
    layer_of,
    name_of,
    op_names,
    pack,
    quantization_of,
)

_WITH_KERNEL = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})

_BITS = {"bool": 8, "int2": 2, "int4": 4}  # of one value; of other types, the number in the name


class Operator(NamedTuple):
    """An operation of a file.

    Attributes:
        op: TFLite's name of it.
        tensor: Name of its output.
        layer: The Keras layer.
        row: The paper's row, as the network's `summary` names it.
        macs: Multiply-adds of its kernel, as `summary` counts them.
        num_bytes: Size of its inputs, constants and outputs.
        dtype: Type of its output.
        kernel_dtype: Type of the kernel that it multiplies by; None without one, or if the kernel
            is prepared.
        input_shapes: Shapes of its inputs and constants.
        output_shape: Shape of its first output.
        inputs: Indices of the tensors that it reads, other than constants.
        content: The file with this operation alone. It takes these tensors in order.
        fused: The operations that XNNPACK runs as this one, each by itself.
    """

    op: str
    tensor: str
    layer: str
    row: str
    macs: int
    num_bytes: int
    dtype: str
    kernel_dtype: str | None
    input_shapes: tuple[tuple[int, ...], ...]
    output_shape: tuple[int, ...]
    inputs: tuple[int, ...]
    content: bytes
    fused: tuple[Operator, ...] = ()


def operators(model: Any) -> list[Operator]:
    """Cut a file into its operations; shapes, types, quantization and weights stay as they are.

    An operation that only prepares a constant, such as one that dequantizes weights, runs when the
    file is loaded. It is in the files of the operations that use the constant. XNNPACK fuses the
    padding before a convolution into the convolution, so that they are one operation here.

    Reference:
        XNNPACK, ``xnn_subgraph_fusion`` in ``src/subgraph.c``.

    Args:
        model: The parsed file.
    """
    graph, lrn = model.subgraphs[0], lrn_tensors(model)
    prepared: dict[int, Any] = {}  # operations on constants, by their outputs
    paddings = _fused_paddings(model)
    found = []
    for op, name in zip(graph.operators, op_names(model), strict=True):
        constant = [
            index in prepared or is_constant(model, graph.tensors[index]) for index in _inputs(op)
        ]
        if all(constant):
            prepared |= {int(output): op for output in op.outputs}
        elif int(op.outputs[0]) not in paddings:
            operator = _operator(model, op, name, prepared, paddings.get(_inputs(op)[0]))
            # The sum over channels of LRN is a convolution, but not one of the network's.
            found.append(operator._replace(macs=0) if operator.tensor in lrn else operator)
    return found


def model_of(codes: list[Any], buffers: list[Any], graph: Any) -> Any:
    """Return the schema's ``ModelT`` with one graph."""
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT()
    model.version, model.operatorCodes = 3, codes
    model.buffers, model.subgraphs = buffers, [graph]
    return model


def _fused_paddings(model: Any) -> dict[int, Any]:
    """Return the paddings that XNNPACK fuses into a convolution, by the tensors that they write."""
    graph = model.subgraphs[0]
    readers: dict[int, list[tuple[str, Any]]] = {}
    paddings: dict[int, Any] = {}
    for op, name in zip(graph.operators, op_names(model), strict=True):
        if name == "PAD" and is_constant(model, graph.tensors[op.inputs[1]]):
            paddings[int(op.outputs[0])] = op
        for index in _inputs(op):
            readers.setdefault(index, []).append((name, op))
    return {
        index: op
        for index, op in paddings.items()
        if index not in graph.outputs
        and len(found := readers.get(index, [])) == 1
        and _pads_height_and_width(model, op)
        and _fuses_padding(model, *found[0])
    }


def _pads_height_and_width(model: Any, padding: Any) -> bool:
    """Return whether a padding of images leaves batch and channels."""
    tensor = model.subgraphs[0].tensors[padding.inputs[1]]
    values = np.frombuffer(bytes(model.buffers[tensor.buffer].data), dtype_name(tensor))
    return values.size == 8 and not values.reshape(4, 2)[[0, 3]].any()


def _fuses_padding(model: Any, name: str, op: Any) -> bool:
    """Return whether an operation can take the padding of its input."""
    from ai_edge_litert.schema_py_generated import Padding

    if name not in ("CONV_2D", "DEPTHWISE_CONV_2D") or op.builtinOptions.padding != Padding.VALID:
        return False
    # A dynamic-range convolution quantizes its input, after the padding.
    image, kernel = (dtype_name(model.subgraphs[0].tensors[index]) for index in op.inputs[:2])
    return image == kernel


def _operator(
    model: Any, op: Any, name: str, prepared: dict[int, Any], padding: Any = None
) -> Operator:
    """Return an operation, with the operations that prepare its constants.

    Args:
        model: The parsed file.
        op: The operation.
        name: TFLite's name of it.
        prepared: Operations that prepare constants, by their outputs.
        padding: The padding of its input that is fused into it.
    """
    graph = model.subgraphs[0]
    needed = [*_preparing(op, prepared), op]
    read = _inputs(op)
    fused: tuple[Operator, ...] = ()
    if padding:
        fused = (_operator(model, padding, "PAD", {}), _operator(model, op, name, prepared))
        needed.insert(-1, padding)
        read[0] = int(padding.inputs[0])
    inputs = tuple(
        index
        for index in dict.fromkeys(read)
        if index not in prepared and not is_constant(model, graph.tensors[index])
    )
    output = graph.tensors[op.outputs[0]]
    tensors = [graph.tensors[index] for index in [*read, *map(int, op.outputs)]]
    layer = layer_of(name_of(output))
    return Operator(
        op=name,
        tensor=name_of(output),
        layer=layer,
        row=row_of(layer),
        macs=_macs(model, op, name, prepared),
        num_bytes=sum(map(_size, tensors)),
        dtype=dtype_name(output),
        kernel_dtype=_kernel_dtype(model, op, name),
        input_shapes=tuple(_shape(graph.tensors[index]) for index in read),
        output_shape=_shape(output),
        inputs=inputs,
        content=pack(_cut(model, needed, inputs)),
        fused=fused,
    )


def _cut(model: Any, needed: list[Any], inputs: tuple[int, ...]) -> Any:
    """Return a file with some operations of another one, of which the last gives the outputs."""
    from ai_edge_litert import schema_py_generated as schema

    source = model.subgraphs[0]
    graph, buffers = schema.SubGraphT(), [schema.BufferT()]
    graph.tensors, graph.operators = [], []
    codes: dict[int, Any] = {}
    places: dict[int, int] = {-1: -1}  # a missing optional input

    def place(index: int) -> int:
        if index not in places:
            tensor = copy.copy(source.tensors[index])
            if is_constant(model, tensor):
                buffers.append(model.buffers[tensor.buffer])
                tensor.buffer = len(buffers) - 1
            else:
                tensor.buffer = 0
            places[index] = len(graph.tensors)
            graph.tensors.append(tensor)
        return places[index]

    for op in needed:
        moved = copy.copy(op)
        codes.setdefault(op.opcodeIndex, model.operatorCodes[op.opcodeIndex])
        moved.opcodeIndex = [*codes].index(op.opcodeIndex)
        moved.inputs = [place(int(index)) for index in op.inputs]
        moved.outputs = [place(int(index)) for index in op.outputs]
        graph.operators.append(moved)
    graph.inputs = [places[index] for index in inputs]
    graph.outputs = graph.operators[-1].outputs
    return model_of([*codes.values()], buffers, graph)


def _preparing(op: Any, prepared: dict[int, Any]) -> Iterator[Any]:
    """Yield the operations that prepare an operation's constants, in order."""
    for index in _inputs(op):
        if index in prepared:
            yield from _preparing(prepared[index], prepared)
            yield prepared[index]


def _inputs(op: Any) -> list[int]:
    return [int(index) for index in (() if op.inputs is None else op.inputs) if index >= 0]


def _macs(model: Any, op: Any, name: str, prepared: dict[int, Any]) -> int:
    """Return the multiply-adds of an operation's kernel; 0 for an operation without one."""
    tensors = model.subgraphs[0].tensors
    if name not in _WITH_KERNEL:
        return 0
    # A transposed convolution has the shape of its output as its first input.
    kernel, image = (op.inputs[1], op.inputs[2]) if name == "TRANSPOSE_CONV" else op.inputs[1::-1]
    shape = _shape(tensors[kernel])
    if name == "FULLY_CONNECTED":
        return math.prod(shape) * (math.prod(_shape(tensors[image])) // shape[-1])
    if name == "DEPTHWISE_CONV_2D" and _is_strided_slice(model, kernel, shape, prepared):
        return 0
    positions = _shape(tensors[image if name == "TRANSPOSE_CONV" else op.outputs[0]])[1:3]
    return math.prod(positions) * math.prod(shape)


def _kernel_dtype(model: Any, op: Any, name: str) -> str | None:
    if name not in _WITH_KERNEL:
        return None
    tensor = model.subgraphs[0].tensors[op.inputs[1]]
    return dtype_name(tensor) if is_constant(model, tensor) else None


def _is_strided_slice(
    model: Any, kernel: int, shape: tuple[int, ...], prepared: dict[int, Any]
) -> bool:
    """Return whether a depthwise kernel is of ones, as that of `models.shortcuts.subsample`."""
    while kernel in prepared:
        kernel = int(prepared[kernel].inputs[0])
    tensor = model.subgraphs[0].tensors[kernel]
    data = model.buffers[tensor.buffer].data
    if shape[1:3] != (1, 1) or data is None:
        return False
    dtype = dtype_name(tensor)
    if not dtype.startswith(("float", "int8", "uint8")):
        return False
    values: NDArray[Any] = np.frombuffer(bytes(data), dtype).astype(np.float64)
    scale, zero_point = quantization_of(tensor)
    real = (values - zero_point) * scale if scale else values
    return bool(np.allclose(real, 1.0, atol=0.01))


def _shape(tensor: Any) -> tuple[int, ...]:
    return tuple(int(size) for size in (() if tensor.shape is None else tensor.shape))


def _size(tensor: Any) -> int:
    """Return the bytes of a tensor's values."""
    dtype = dtype_name(tensor)
    bits = _BITS.get(dtype) or int("".join(filter(str.isdigit, dtype)) or 0)
    return math.prod(_shape(tensor)) * bits // 8
