"""Blocks that every family shares: padding, bias, normalization and initializers, stated once.

A block is a function from feature map to feature map, `(batch, height, width, channels)` in and
out. Layers are named `row_role`: `conv2_1_a_bn` is the normalization after the first convolution of
row `conv2_1`; `row_of` gives the row back.
"""

from __future__ import annotations

from typing import TypeAlias

import keras
from keras import layers

Tensor: TypeAlias = keras.KerasTensor

# Ioffe and Szegedy, arXiv:1502.03167, section 3.1, with the constants of the residual networks'
# release (Keras' own defaults, 0.99 and 1e-3, need thousands of steps to forget their start).
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5

# He et al., arXiv:1502.01852, equation 10: keeps the variance through rectified layers.
KERNEL_INITIALIZER = "he_normal"

ROLES = frozenset({"a", "b", "bn", "relu", "shortcut", "add", "pad", "activation", "coefficient"})


def row_of(layer_name: str) -> str:
    """Return the paper's row that a layer belongs to.

    Example:
        >>> row_of("conv2_1_a_bn")
        'conv2_1'
    """
    row, _, role = layer_name.rpartition("_")
    return row_of(row) if row and role in ROLES else layer_name


def conv(
    x: Tensor, filters: int, kernel_size: int, strides: int = 1, *, use_bias: bool, name: str
) -> Tensor:
    """Convolve with zero padding that keeps `ceil(size / strides)`.

    Args:
        x: Feature map `(batch, height, width, channels)`.
        filters: Output channels.
        kernel_size: Side of the square kernel.
        strides: Step in both directions.
        use_bias: False where a normalization follows.
        name: Layer name.

    Returns:
        Feature map `(batch, ceil(height / strides), ceil(width / strides), filters)`.
    """
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding="same",
        use_bias=use_bias,
        kernel_initializer=KERNEL_INITIALIZER,
        name=name,
    )(x)


def batch_norm(x: Tensor, name: str) -> Tensor:
    """Normalize each channel over the batch (arXiv:1502.03167)."""
    return layers.BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=name)(x)


def relu(x: Tensor, name: str) -> Tensor:
    """Rectify."""
    return layers.ReLU(name=name)(x)


def conv_bn(x: Tensor, filters: int, kernel_size: int, strides: int = 1, *, name: str) -> Tensor:
    """Convolve without bias, then normalize."""
    x = conv(x, filters, kernel_size, strides, use_bias=False, name=name)
    return batch_norm(x, f"{name}_bn")


def conv_bn_relu(
    x: Tensor, filters: int, kernel_size: int, strides: int = 1, *, name: str
) -> Tensor:
    """Convolve without bias, normalize, rectify."""
    return relu(conv_bn(x, filters, kernel_size, strides, name=name), f"{name}_relu")


def subsample(x: Tensor, strides: int, *, name: str) -> Tensor:
    """Keep every `strides`-th row and column, without learning anything.

    The fixed depthwise 1×1 kernel of ones is the strided slice `x[:, ::s, ::s]`, in a form that
    LiteRT's XNNPACK delegate takes in float and in int8 (it refuses strided slices and 1×1
    pooling, and each refusal splits the file in two).

    Args:
        x: Feature map `(batch, height, width, channels)`.
        strides: Step in both directions.
        name: Layer name.

    Returns:
        Feature map `(batch, ceil(height / strides), ceil(width / strides), channels)`.
    """
    return layers.DepthwiseConv2D(
        1, strides, use_bias=False, depthwise_initializer="ones", trainable=False, name=name
    )(x)


def classifier(x: Tensor, num_classes: int, activation: str | None) -> Tensor:
    """Map features `(batch, features)` to class scores `(batch, num_classes)`.

    Args:
        x: Features.
        num_classes: Number of classes.
        activation: ``"softmax"`` for probabilities, None for logits.
    """
    x = layers.Dense(num_classes, kernel_initializer=KERNEL_INITIALIZER, name="logits")(x)
    return activate(x, activation)


def activate(logits: Tensor, activation: str | None) -> Tensor:
    """Turn logits into what `classifier_activation` asks for."""
    if activation is None:
        return logits
    return layers.Activation(activation, name="probabilities")(logits)
