"""A network taken apart: the rows of the paper with output size, parameters and MACs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import keras


class Row(NamedTuple):
    """What a row of a network is and costs."""

    row: str
    layers: str  # what it is made of, in order
    output_shape: tuple[int, ...]  # (height, width, channels) or (features,)
    parameters: int  # trainable
    macs: int  # multiply-adds for one image


def rows(model: keras.Model) -> list[Row]:
    """Return the rows of a functional model, in order.

    Layers belong to the row that their name begins with: `conv2_1_a_bn` to `conv2_1`. Multiply-adds
    are those of kernels (convolutions and dense layers), as papers count them.

    Example:
        >>> from cnn_keras import build
        >>> rows(build("lenet5"))[0][:3]
        ('c1', 'Conv2D Activation', (28, 28, 6))
    """
    from .blocks import row_of

    found: dict[str, Row] = {}
    for layer in model.layers[1:]:
        name = row_of(layer.name)
        output = tuple(int(side) for side in layer.output.shape[1:])
        parameters = sum(math.prod(weight.shape) for weight in layer.trainable_weights)
        macs = _macs(layer, output)
        kind = type(layer).__name__
        if name in found:
            row = found[name]
            kind = row.layers if kind in row.layers.split() else f"{row.layers} {kind}"
            parameters, macs = parameters + row.parameters, macs + row.macs
        found[name] = Row(name, kind, output, parameters, macs)
    return list(found.values())


def _macs(layer: keras.Layer, output: tuple[int, ...]) -> int:
    """Every weight of a trained kernel is used once at each output position."""
    if not layer.trainable or not hasattr(layer, "kernel"):
        return 0
    return math.prod(layer.kernel.shape) * math.prod(output[:-1])
