"""Published weights: how a library stores them, and what network and pixels they need."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]
Tensors: TypeAlias = Mapping[str, Array]
"""The tensors of a file, by name."""
Shape: TypeAlias = tuple[int, ...]


class Publisher(NamedTuple):
    """How a library stores weights.

    Attributes:
        name: Name of the library.
        suffixes: Suffixes of its files.
        read: Reads the tensors of a file.
        kernel: Name of a layer's kernel, where `{}` is the layer; likewise in `bias` and `norm`.
        bias: Name of a layer's bias.
        norm: Names of a batch normalization's scale, shift, mean and variance.
        kernel_shape: Maps our shape of a kernel to the library's.
        convert_kernel: Maps the library's kernel to ours, given the shape of the map that is
            flattened before the layer, if one is, and whether the layer is the network's first.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path], Tensors]
    kernel: str
    bias: str
    norm: tuple[str, str, str, str]
    kernel_shape: Callable[[Shape], Shape]
    convert_kernel: Callable[[Array, Shape | None, bool], Array]


class PublishedWeights(NamedTuple):
    """A set of published weights.

    Attributes:
        name: The publisher's name for them.
        publisher: The library.
        network: Row of the zoo.
        options: Options of the network that they were trained with.
        layer_name: Maps our name of a layer to the publisher's.
        mean: Subtracted from red, green and blue, in pixel values.
        std: Divides them.
        epsilon: Of batch normalization.
        training_only: Regular expression of the tensors that only training needs.
    """

    name: str
    publisher: Publisher
    network: str
    options: Mapping[str, Any]
    layer_name: Callable[[str], str]
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    epsilon: float
    training_only: str


def split_layer_name(layer: str) -> tuple[str, str]:
    """Return the name of a convolution, and whether the layer is it or its normalization.

    Example:
        >>> split_layer_name("conv1"), split_layer_name("conv1_bn")
        (('conv1', 'conv'), ('conv1', 'bn'))
    """
    conv = layer.removesuffix("_bn")
    return conv, "conv" if conv == layer else "bn"
