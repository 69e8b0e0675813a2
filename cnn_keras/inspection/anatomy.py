"""A network taken apart: the rows of its paper with what they are, see and cost.

What is counted, for one image:
    - Parameters: trained weights, biases and normalizations included.
    - Multiply-adds: those of kernels, which are convolutions and dense layers, as papers count
      them; biases, activations, normalizations and poolings are left out.
    - Neurons: outputs of the layers with kernels.
    - Receptive field: how much of the input one output depends on, over all branches. It counts
      the padding, so it can be more than the image. What flattens or averages a whole map sees
      all that any place of the map sees.
    - Activation memory: float32 outputs of the row's layers, but not of those that can work in
      place (one input, an output of its size, neither kernel nor window: activation,
      normalization, dropout, flattening), nor the image itself. The sum over all rows is what has
      to be kept for the backward pass; inference can do with less.

A depthwise kernel of ones that is not trained is a strided slice in disguise (`blocks.subsample`)
and counts as no kernel.
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
    """What a row of a network is, sees and costs."""

    row: str
    layers: str  # what it is made of, in order
    output_shape: tuple[int, ...]  # (height, width, channels) or (features,)
    parameters: int  # trainable
    macs: int  # multiply-adds
    neurons: int
    receptive_field: tuple[int, ...]  # (height, width) in pixels of the input
    activation_bytes: int


SUMMED = ("parameters", "macs", "neurons", "activation_bytes")


class Call(NamedTuple):
    """A layer or another operation at work; or, with none, tensors passed on to a model inside."""

    layer: Any
    inputs: Sequence[keras.KerasTensor]
    outputs: Sequence[keras.KerasTensor]


class Reach(NamedTuple):
    """How a map hangs together with the input, along the longest and the widest path."""

    depth: int  # layers with kernels
    field: tuple[int, ...]  # input pixels that one position depends on, by axis
    jump: tuple[float, ...]  # input pixels from one position to the next, by axis


def outline(build: Callable[[], keras.Model]) -> keras.Model:
    """Build a model whose weights have shapes but never get values.

    That is enough to take it apart, and for a VGG, whose 138 million random weights take 12 s to
    draw, it is 100 times as fast and saves 550 MB.

    Args:
        build: Makes the model.

    Example:
        >>> from cnn_keras import build
        >>> outline(lambda: build("vgg16")).count_params()
        138357544
    """
    import keras

    def without_values() -> keras.Model:
        with keras.StatelessScope(initialize_variables=False):
            return build()

    # Keras lists the variables that wait for a value, by thread, and draws them all when the next
    # model is built. This thread takes its list with it.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(without_values).result()


def rows(model: keras.Model) -> list[Row]:
    """Return the rows of a functional model, in order.

    Layers belong to the row that their name begins with: `conv2_1_a_bn` to `conv2_1`.

    Args:
        model: With a fixed input size. Models inside it are opened.

    Raises:
        UsageError: The model has no graph, or no fixed input size.

    Example:
        >>> from cnn_keras import build
        >>> c1 = rows(build("lenet5"))[0]
        >>> c1.layers, c1.output_shape, c1.macs, c1.neurons, c1.receptive_field
        ('Conv2D Activation', (28, 28, 6), 117600, 4704, (5, 5))
    """
    found: dict[str, Row] = {}
    for layer in layers(model):
        name = row_of(layer.row)
        found[name] = _joined(found[name], layer) if name in found else layer._replace(row=name)
    return list(found.values())


def layers(model: keras.Model) -> list[Row]:
    """Return each layer as a row by itself, a shared one once for each call.

    Operations that are no layers, such as `keras.ops.pad`, only pass on what they see.

    Raises:
        UsageError: The model has no graph, or no fixed input size.
    """
    import keras

    counted: set[int] = set()
    found = []
    for call, reach in _reaches(model):
        if isinstance(call.layer, keras.Layer):
            row = _row(call, reach)
            found.append(row._replace(parameters=0) if id(call.layer) in counted else row)
            counted.add(id(call.layer))
    return found


def total(found: Sequence[Row]) -> Row:
    """Return the sum of rows, as a row without layers, output and field."""
    sums = {field: sum(getattr(row, field) for row in found) for field in SUMMED}
    return Row("total", "", (), receptive_field=(), **sums)


def depth(model: keras.Model) -> int:
    """Return the number of layers with kernels on the longest path.

    A projection shortcut is shorter than what it goes around, so it does not count.

    Raises:
        UsageError: The model has no graph, or no fixed input size.

    Example:
        >>> from cnn_keras import build
        >>> depth(build("resnet20", shortcut="B"))
        20
    """
    return max(reach.depth for _, reach in _reaches(model))


def _joined(row: Row, layer: Row) -> Row:
    """Return a row with one more layer at its end."""
    sums = {field: getattr(row, field) + getattr(layer, field) for field in SUMMED}
    kinds = row.layers.split()
    kinds += [] if layer.layers in kinds else [layer.layers]
    return layer._replace(row=row.row, layers=" ".join(kinds), **sums)


def _row(call: Call, reach: Reach) -> Row:
    """Return what one call of a layer is, sees and costs."""
    layer, output = call.layer, call.outputs[0]
    elements = sum(math.prod(tensor.shape[1:]) for tensor in call.outputs)
    kernels = _kernels(layer)
    # Every weight of a kernel is used once at each place of the output; where the convolution is
    # transposed, of the input.
    places = math.prod(_sizes(layer, call.inputs[0] if _is_transposed(layer) else output))
    in_place = (
        len(call.inputs) == 1
        and elements == math.prod(call.inputs[0].shape[1:])
        and not (kernels or _window(layer))
    )
    return Row(
        row=layer.name,
        layers=type(layer).__name__,
        output_shape=tuple(output.shape[1:]),
        parameters=sum(math.prod(weight.shape) for weight in layer.trainable_weights),
        macs=places * sum(math.prod(kernel.shape) for kernel in kernels),
        neurons=elements if kernels else 0,
        receptive_field=reach.field,
        activation_bytes=0 if in_place else FLOAT32_BYTES * elements,
    )


def _calls(model: keras.Model) -> Iterator[Call]:
    """Yield the calls of a model's graph in order, those of models inside it included."""
    # Keras has no public name for the nodes of its graph; `operations` and `input` know only the
    # first call of a shared layer. A sequential model keeps its graph in another one.
    nodes = getattr(model, "_functional", model)._nodes_by_depth
    for node in (node for distance in sorted(nodes, reverse=True) for node in nodes[distance]):
        operation, inputs, outputs = node.operation, node.input_tensors, node.outputs
        if getattr(operation, "outputs", None):
            yield from map(Call, [None] * len(inputs), zip(inputs), zip(operation.inputs))
            yield from _calls(operation)
            yield from map(Call, [None] * len(outputs), zip(operation.outputs), zip(outputs))
        elif inputs:
            yield Call(operation, inputs, outputs)


def _reaches(model: keras.Model) -> Iterator[tuple[Call, Reach]]:
    """Yield each call with the reach of what it puts out."""
    inputs = getattr(model, "inputs", None)
    if not inputs:
        raise UsageError("Only a functional model, or a built sequential one, has rows.")
    reaches = {}
    for tensor in inputs:
        if None in tensor.shape[1:]:
            raise UsageError(
                f"A model has rows at one input size, but this one's is open: {tensor.shape[1:]}."
            )
        rank = max(len(tensor.shape) - 2, 0)
        reaches[id(tensor)] = Reach(0, (1,) * rank, (1.0,) * rank)
    for call in _calls(model):
        reach = _reach(call, [reaches[id(tensor)] for tensor in call.inputs])
        reaches.update((id(tensor), reach) for tensor in call.outputs)
        yield call, reach


def _reach(call: Call, before: Sequence[Reach]) -> Reach:
    """Return the reach of what a call puts out: the greatest of its inputs', and its own view."""
    fields = [max(axis) for axis in zip_longest(*(reach.field for reach in before), fillvalue=1)]
    jumps = [max(axis) for axis in zip_longest(*(reach.jump for reach in before), fillvalue=1.0)]
    view = _view(call)
    if len(view) != len(fields):  # where the axes change their number, nothing is seen of others
        view = [(1, 1.0)] * len(fields)
    return Reach(
        depth=max(reach.depth for reach in before) + bool(_kernels(call.layer)),
        field=tuple(
            math.ceil(field + (places - 1) * jump)
            for field, jump, (places, _) in zip(fields, jumps, view, strict=True)
        ),
        jump=tuple(jump * step for jump, (_, step) in zip(jumps, view, strict=True)),
    )


def _view(call: Call) -> list[tuple[int, float]]:
    """Return, by axis, the places of its input that one of its output sees, and their step."""
    import keras

    layer, sizes = call.layer, _sizes(call.layer, call.inputs[0])
    if window := _window(layer):
        axes = zip(*(_by_axis(value, len(sizes)) for value in window), strict=True)
        views = [((size - 1) * dilation + 1, strides) for size, strides, dilation in axes]
        if _is_transposed(layer):
            return [(-(-seen // strides), 1 / strides) for seen, strides in views]
        return views
    up = (keras.layers.UpSampling1D, keras.layers.UpSampling2D, keras.layers.UpSampling3D)
    if isinstance(layer, up):
        return [(1, 1 / factor) for factor in _by_axis(layer.size, len(sizes))]
    if math.prod(_sizes(layer, call.outputs[0])) == 1:  # flattened or averaged as a whole
        return [(size, 1.0) for size in sizes]
    return [(1, 1.0) for _ in sizes]


def _window(layer: Any) -> tuple[Any, Any, Any] | None:
    """Return size, strides and dilation of a convolution's or pooling's window, if it has one."""
    size = getattr(layer, "kernel_size", getattr(layer, "pool_size", None))
    if size is None:
        return None
    return size, getattr(layer, "strides", None) or 1, getattr(layer, "dilation_rate", 1)


def _by_axis(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * rank


def _sizes(layer: Any, tensor: keras.KerasTensor) -> tuple[int, ...]:
    """Return a map's sizes without its batch and channels."""
    sizes = tuple(tensor.shape[1:])
    return sizes[1:] if getattr(layer, "data_format", None) == "channels_first" else sizes[:-1]


def _kernels(layer: Any) -> list[Any]:
    """Return a layer's kernels; a separable convolution has two."""
    import keras

    if (
        isinstance(layer, keras.layers.DepthwiseConv2D)
        and isinstance(layer.depthwise_initializer, keras.initializers.Ones)
        and not layer.trainable
    ):
        return []
    names = ("kernel", "depthwise_kernel", "pointwise_kernel")
    return [getattr(layer, name) for name in names if getattr(layer, name, None) is not None]


def _is_transposed(layer: Any) -> bool:
    return hasattr(layer, "output_padding")
