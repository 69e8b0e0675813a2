"""Rows of a network: output shapes, receptive fields and costs for one image.

- Parameters: trainable weights, with biases and normalizations.
- Multiply-adds: of kernels, that is of convolutions and dense layers, as papers count them; not of
  biases, activations, normalizations and poolings.
- Neurons: outputs of the layers with kernels.
- Receptive field: size of the input region that one output depends on, over all branches. It
  includes padding, so it can exceed the image. A layer that flattens or averages a whole map has
  the field of all positions together.
- Activation memory: float32 outputs of the row's layers. Left out are the image and the layers that
  can work in place, with one input, an output of its size, and neither kernel nor window:
  activation, normalization, dropout, flattening. The backward pass needs the sum over all rows;
  inference can do with less.

A frozen depthwise kernel of ones is a strided slice (`models.shortcuts.subsample`) and not counted
as a kernel.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import UsageError
from ..layer_names import row_of

if TYPE_CHECKING:
    import keras

FLOAT32_BYTES = 4


class Row(NamedTuple):
    """Layers, output and costs of a row of a network."""

    row: str
    layers: str  # class names in order, separated by spaces
    output_shape: tuple[int, ...]  # (height, width, channels) or (features,)
    parameters: int  # trainable
    macs: int  # multiply-adds
    neurons: int
    receptive_field: tuple[int, ...]  # (height, width) in input pixels
    activation_bytes: int


SUMMED = ("parameters", "macs", "neurons", "activation_bytes")


class Node(NamedTuple):
    """A call of an operation in a model's graph.

    The operation is None where tensors are only passed into or out of a model inside the model.
    """

    operation: Any
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]


class Geometry(NamedTuple):
    """How a map relates to the input, along the longest and the widest path."""

    depth: int  # layers with kernels
    receptive_field: tuple[int, ...]  # input pixels that one position depends on, by axis
    stride: tuple[float, ...]  # input pixels from one position to the next, by axis


def build_uninitialized(build: Callable[[], keras.Model]) -> keras.Model:
    """Build a model whose weights have shapes but no values.

    That is enough for the functions of this module. For VGG-16, whose 138 million random weights
    take 12 s to draw, it is 100 times as fast and saves 550 MB.

    Args:
        build: Builds the model.

    Example:
        >>> from cnn_keras import build
        >>> build_uninitialized(lambda: build("vgg16")).count_params()
        138357544
    """
    import keras

    def build_in_scope() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # Keras keeps a list of uninitialized variables for each thread, and initializes all of them
    # when the next model is built. The list of this thread ends with it.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(build_in_scope).result()


def rows(model: keras.Model) -> list[Row]:
    """Return the rows of a functional model, in order.

    Layers belong to the row that their name begins with: `conv2_1_a_bn` to `conv2_1`.

    Args:
        model: A model with a fixed input size. Layers of models inside it have rows, too.

    Raises:
        UsageError: The model has no graph, or no fixed input size.

    Example:
        >>> from cnn_keras import build
        >>> c1 = rows(build("lenet5"))[0]
        >>> c1.layers, c1.output_shape, c1.macs, c1.neurons, c1.receptive_field
        ('Conv2D Activation', (28, 28, 6), 117600, 4704, (5, 5))
    """
    found: dict[str, Row] = {}
    for layer in layer_rows(model):
        name = row_of(layer.row)
        found[name] = _merge(found[name], layer) if name in found else layer._replace(row=name)
    return list(found.values())


def layer_rows(model: keras.Model) -> list[Row]:
    """Return a row for each layer, and for each call of a shared layer.

    Functions such as `keras.ops.pad` have no row, but their receptive field counts.

    Raises:
        UsageError: The model has no graph, or no fixed input size.
    """
    import keras

    counted: set[int] = set()
    found = []
    for node, geometry in _geometries(model):
        if isinstance(node.operation, keras.Layer):
            row = _row(node, geometry)
            found.append(row._replace(parameters=0) if id(node.operation) in counted else row)
            counted.add(id(node.operation))
    return found


def total(found: Sequence[Row]) -> Row:
    """Return the sum of rows, as a row without layers, output shape and receptive field."""
    sums = {field: sum(getattr(row, field) for row in found) for field in SUMMED}
    return Row("total", "", (), receptive_field=(), **sums)


def depth(model: keras.Model) -> int:
    """Return the number of layers with kernels on the longest path.

    A projection shortcut does not count, because it is shorter than its branch.

    Raises:
        UsageError: The model has no graph, or no fixed input size.

    Example:
        >>> from cnn_keras import build
        >>> depth(build("resnet20", shortcut="B"))
        20
    """
    return max(geometry.depth for _, geometry in _geometries(model))


def _merge(row: Row, layer: Row) -> Row:
    """Return a row with another layer at its end."""
    sums = {field: getattr(row, field) + getattr(layer, field) for field in SUMMED}
    kinds = row.layers.split()
    kinds += [] if layer.layers in kinds else [layer.layers]
    return layer._replace(row=row.row, layers=" ".join(kinds), **sums)


def _row(node: Node, geometry: Geometry) -> Row:
    """Return the row of one call of a layer."""
    layer, output = node.operation, node.outputs[0]
    elements = sum(math.prod(tensor.shape[1:]) for tensor in node.outputs)
    kernels = _kernels(layer)
    # Every weight of a kernel is used once for each position of the output, or of the input if the
    # convolution is transposed.
    positions = math.prod(_map_shape(layer, node.inputs[0] if _is_transposed(layer) else output))
    in_place = (
        len(node.inputs) == 1
        and elements == math.prod(node.inputs[0].shape[1:])
        and not (kernels or _window_arguments(layer))
    )
    return Row(
        row=layer.name,
        layers=type(layer).__name__,
        output_shape=tuple(output.shape[1:]),
        parameters=sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        macs=positions * sum(math.prod(kernel.shape) for kernel in kernels),
        neurons=elements if kernels else 0,
        receptive_field=geometry.receptive_field,
        activation_bytes=0 if in_place else FLOAT32_BYTES * elements,
    )


def _nodes(model: keras.Model) -> Iterator[Node]:
    """Yield the nodes of a model's graph in order, including those of models inside it."""
    # Keras has no public name for the nodes of its graph; `operations` and `input` know only the
    # first call of a shared layer. A sequential model keeps its graph in another model.
    by_depth = getattr(model, "_functional", model)._nodes_by_depth
    for node in (node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]):
        operation, inputs, outputs = node.operation, node.input_tensors, node.outputs
        if getattr(operation, "outputs", None):
            yield from map(Node, [None] * len(inputs), zip(inputs), zip(operation.inputs))
            yield from _nodes(operation)
            yield from map(Node, [None] * len(outputs), zip(operation.outputs), zip(outputs))
        elif inputs:
            yield Node(operation, inputs, outputs)


def _geometries(model: keras.Model) -> Iterator[tuple[Node, Geometry]]:
    """Yield each node with the geometry of its outputs."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise UsageError("Only a functional model, or a sequential model that is built, has rows.")
    geometries = {}
    for tensor in inputs:
        if None in tensor.shape[1:]:
            raise UsageError(
                f"Rows need a fixed input size, and that of this model is open: {tensor.shape[1:]}."
            )
        rank = max(len(tensor.shape) - 2, 0)
        geometries[id(tensor)] = Geometry(0, (1,) * rank, (1.0,) * rank)
    for node in _nodes(model):
        geometry = _geometry(node, [geometries[id(tensor)] for tensor in node.inputs])
        geometries.update((id(tensor), geometry) for tensor in node.outputs)
        yield node, geometry


def _geometry(node: Node, inputs: Sequence[Geometry]) -> Geometry:
    """Return the geometry of a node's outputs: the maximum over its inputs, and its own window."""
    fields = [max(a) for a in zip_longest(*(each.receptive_field for each in inputs), fillvalue=1)]
    strides = [max(a) for a in zip_longest(*(each.stride for each in inputs), fillvalue=1.0)]
    window = _window(node)
    if len(window) != len(fields):  # the number of axes changes: count nothing
        window = [(1, 1.0)] * len(fields)
    return Geometry(
        depth=max(each.depth for each in inputs) + bool(_kernels(node.operation)),
        receptive_field=tuple(
            math.ceil(field + (size - 1) * stride)
            for field, stride, (size, _) in zip(fields, strides, window, strict=True)
        ),
        stride=tuple(stride * step for stride, (_, step) in zip(strides, window, strict=True)),
    )


def _window(node: Node) -> list[tuple[int, float]]:
    """Return, by axis, how many input positions an output depends on, and the step between two."""
    import keras

    layer, shape = node.operation, _map_shape(node.operation, node.inputs[0])
    if arguments := _window_arguments(layer):
        axes = zip(*(_per_axis(value, len(shape)) for value in arguments), strict=True)
        windows = [((size - 1) * dilation + 1, strides) for size, strides, dilation in axes]
        if _is_transposed(layer):
            return [(-(-size // strides), 1 / strides) for size, strides in windows]
        return windows
    upsampling = (keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D)
    if isinstance(layer, upsampling):
        return [(1, 1 / factor) for factor in _per_axis(layer.size, len(shape))]
    if math.prod(_map_shape(layer, node.outputs[0])) == 1:  # a whole map is flattened or averaged
        return [(size, 1.0) for size in shape]
    return [(1, 1.0) for _ in shape]


def _window_arguments(layer: Any) -> tuple[Any, Any, Any] | None:
    """Return size, strides and dilation of the window of a convolution or pooling."""
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    if size is None:
        return None
    return size, getattr(layer, "strides", None) or 1, getattr(layer, "dilation_rate", 1)


def _per_axis(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * rank


def _map_shape(layer: Any, tensor: keras.KerasTensor) -> tuple[int, ...]:
    """Return the shape of a tensor without batch and channels."""
    shape = tuple(tensor.shape[1:])
    return shape[1:] if getattr(layer, "data_format", None) == "channels_first" else shape[:-1]


def _kernels(layer: Any) -> list[Any]:
    """Return the kernels of a layer; a separable convolution has two."""
    from ..models.shortcuts import is_subsampling

    if is_subsampling(layer):
        return []
    names = ("kernel", "depthwise_kernel", "pointwise_kernel")
    return [getattr(layer, name) for name in names if getattr(layer, name, None) is not None]


def _is_transposed(layer: Any) -> bool:
    return hasattr(layer, "output_padding")
