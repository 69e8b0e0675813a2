"""Shortcuts of residual modules: options A, B and C of the paper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from keras import initializers, layers, ops

from ..blocks import Tensor, conv_bn

Shortcut = Literal["A", "B", "C", "none"]


def subsample(x: Tensor, strides: int, *, name: str) -> Tensor:
    """Keep every `strides`-th row and column.

    A frozen depthwise 1×1 kernel of ones computes the strided slice `x[:, ::s, ::s]`. LiteRT's
    XNNPACK delegate runs it in float and in int8. It does not run strided slices and 1×1 pooling,
    which would split the graph.

    Args:
        x: Feature map `(batch, height, width, channels)`.
        strides: Stride in both directions.
        name: Name of the layer.

    Returns:
        Feature map `(batch, ceil(height / strides), ceil(width / strides), channels)`.
    """
    return layers.DepthwiseConv2D(
        1, strides, use_bias=False, depthwise_initializer="ones", trainable=False, name=name
    )(x)


def is_subsampling(layer: Any) -> bool:
    """Return whether a Keras layer is one of `subsample`."""
    return (
        isinstance(layer, layers.DepthwiseConv2D)
        and layer.kernel_size == (1, 1)
        and not layer.use_bias
        and isinstance(layer.depthwise_initializer, initializers.Ones)
        and not layer.trainable
    )


def shortcut_to(
    x: Tensor,
    like: Tensor,
    shortcut: Shortcut,
    name: str,
    project: Callable[..., Tensor] = conv_bn,
) -> Tensor:
    """Return the shortcut of a residual module: `x` in the shape of `like`.

    Args:
        x: Feature map `(batch, height, width, channels)`.
        like: Feature map that it is added to.
        shortcut: The paper's options: ``"A"`` pads with zero channels, ``"B"`` projects if the
            shapes differ, ``"C"`` always projects.
        name: Name of the layer.
        project: Function for the 1×1 convolution of a projection.

    Reference:
        He, Zhang, Ren, Sun, arXiv:1512.03385, sections 3.3 and 4.1.
    """
    if x.shape == like.shape and shortcut != "C":
        return x
    strides = max(-(-x.shape[side] // like.shape[side]) for side in (1, 2))
    filters = like.shape[-1]
    if shortcut != "A":
        return project(x, filters, 1, strides, name=name)
    if strides > 1:
        x = subsample(x, strides, name=name)
    return ops.pad(x, ((0, 0), (0, 0), (0, 0), (0, filters - x.shape[-1])))
