"""Blocks that all families share, with their padding, bias, normalization and initializers.

A block is a function from feature map to feature map, `(batch, height, width, channels)` in and
out. Layers are named `row_role`: `conv2_1_a_bn` is the normalization after the first convolution of
row `conv2_1`; `layer_names.row_of` gives the row back.
"""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from .errors import UsageError

Tensor: TypeAlias = keras.KerasTensor

# Ioffe and Szegedy, arXiv:1502.03167, section 3.1, with the constants of the residual networks'
# release. With Keras' default momentum of 0.99, moving statistics need thousands of steps.
BN_MOMENTUM = 0.9
BN_EPSILON = 1e-5

# He et al., arXiv:1502.01852, equation 10: keeps the variance through layers with ReLU.
KERNEL_INITIALIZER = "he_normal"

Padding = Literal["same", "symmetric", "valid"]
Stem = Literal["paper", "small"]


def require_size(x: Tensor, minimum: int, what: str, of: str = "images") -> None:
    """Check that images, or maps, are large enough for the poolings that follow.

    Args:
        x: Images or maps `(batch, height, width, channels)`.
        minimum: Smallest height and width.
        what: Network or block, for the message.
        of: What `x` is, for the message.

    Raises:
        UsageError: A side is shorter than `minimum`.
    """
    height, width = x.shape[1:3]
    if min(height, width) < minimum:
        raise UsageError(f"{what} needs {of} of {minimum}×{minimum} or more, not {height}×{width}.")


def conv(
    x: Tensor,
    filters: int,
    kernel_size: int,
    strides: int = 1,
    *,
    name: str,
    use_bias: bool = True,
    groups: int = 1,
    padding: Padding = "same",
) -> Tensor:
    """Convolve, by default with zero padding that keeps `ceil(size / strides)`.

    Args:
        x: Feature map `(batch, height, width, channels)`.
        filters: Output channels.
        kernel_size: Side of the square kernel.
        strides: Stride in both directions.
        name: Name of the layer.
        use_bias: False if a normalization follows.
        groups: Number of groups of channels that are convolved separately.
        padding: With strides, ``"same"`` pads more at the bottom and right, as TensorFlow does, and
            ``"symmetric"`` pads all sides equally, as Caffe and torch do and their weights require.
            Without strides they are the same. ``"valid"`` does not pad.

    Returns:
        Feature map `(batch, ceil(height / strides), ceil(width / strides), filters)`, or a smaller
        one with ``"valid"``.
    """
    if padding == "symmetric":
        if strides > 1 and kernel_size > 1:
            x = layers.ZeroPadding2D(kernel_size // 2, name=f"{name}_pad")(x)
            padding = "valid"
        else:
            padding = "same"
    return layers.Conv2D(
        filters,
        kernel_size,
        strides,
        padding=padding,
        groups=groups,
        use_bias=use_bias,
        kernel_initializer=KERNEL_INITIALIZER,
        name=name,
    )(x)


def conv_relu(
    x: Tensor, filters: int, kernel_size: int, strides: int = 1, *, name: str, **options: Any
) -> Tensor:
    """Convolve with a bias and rectify; `options` are those of `conv`."""
    return relu(conv(x, filters, kernel_size, strides, name=name, **options), f"{name}_relu")


def batch_norm(x: Tensor, name: str) -> Tensor:
    """Normalize each channel over the batch (arXiv:1502.03167)."""
    return layers.BatchNormalization(momentum=BN_MOMENTUM, epsilon=BN_EPSILON, name=name)(x)


def relu(x: Tensor, name: str) -> Tensor:
    """Rectify."""
    return layers.ReLU(name=name)(x)


def conv_bn(
    x: Tensor, filters: int, kernel_size: int, strides: int = 1, *, name: str, **options: Any
) -> Tensor:
    """Convolve without bias, then normalize; `options` are those of `conv`."""
    x = conv(x, filters, kernel_size, strides, name=name, use_bias=False, **options)
    return batch_norm(x, f"{name}_bn")


def conv_bn_relu(
    x: Tensor, filters: int, kernel_size: int, strides: int = 1, *, name: str, **options: Any
) -> Tensor:
    """Convolve without bias, normalize, rectify; `options` are those of `conv`."""
    return relu(conv_bn(x, filters, kernel_size, strides, name=name, **options), f"{name}_relu")


def max_pool(
    x: Tensor, pool_size: int, strides: int, *, name: str, padding: Padding = "same"
) -> Tensor:
    """Return the maximum of each window.

    Args:
        x: Feature map `(batch, height, width, channels)`.
        pool_size: Side of the square window; windows overlap if it exceeds `strides`.
        strides: Stride in both directions.
        name: Name of the layer.
        padding: ``"same"`` keeps `ceil(size / strides)`, at even sizes as Caffe does. ``"valid"``
            drops positions that do not fill a window. ``"symmetric"`` pads a rectified map with
            zeros on all sides, as torch does.
    """
    if padding == "symmetric":
        x = layers.ZeroPadding2D(pool_size // 2, name=f"{name}_pad")(x)
        padding = "valid"
    return layers.MaxPooling2D(pool_size, strides, padding, name=name)(x)


def fc_relu_dropout(x: Tensor, units: int, *, name: str, rate: float = 0.5) -> Tensor:
    """Apply a dense layer, ReLU and dropout: `(batch, features)` to `(batch, units)`."""
    x = layers.Dense(units, kernel_initializer=KERNEL_INITIALIZER, name=name)(x)
    return layers.Dropout(rate, name=f"{name}_dropout")(relu(x, f"{name}_relu"))


@keras.saving.register_keras_serializable("cnn_keras")
class LocalResponseNormalization(layers.Layer):
    """Divide each channel by the activity of its neighbors, as `tf.nn.lrn`.

    Computes `x / (bias + alpha * sum of squares over 2 * depth_radius + 1 channels) ** beta` of
    `(batch, height, width, channels)`. XNNPACK does not run TFLite's own LRN operation, which would
    split the graph. It runs `s ** -0.75` as `rsqrt(s) * sqrt(rsqrt(s))`, and the sum as a
    convolution along the channels with stride 16, whose kernel is the band of neighbors of 16
    channels. Adding shifted slices takes about 1.6 times as long. A 1×1 convolution with the band
    of all channels takes longer still on maps with many channels.

    Args:
        depth_radius: Number of neighbors on each side.
        bias: Constant of the divisor, k in the papers.
        alpha: Weight of each square.
        beta: Exponent.

    Reference:
        Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
        networks", NIPS 2012, section 3.3.
    """

    def __init__(
        self, depth_radius: int, bias: float, alpha: float, beta: float, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.depth_radius, self.bias, self.alpha, self.beta = depth_radius, bias, alpha, beta

    def build(self, input_shape: tuple[Any, ...]) -> None:
        """Create the constant kernel, `(1, cells, channels of a cell, sums of a step)`."""
        channels = input_shape[-1]
        block, cell = math.gcd(channels, 16), math.gcd(channels, 2)
        reach = -(-self.depth_radius // cell) * cell  # whole cells
        band = self.band(np.arange(-reach, block + reach), np.arange(block))
        self._kernel = band.reshape(1, -1, cell, block)

    def call(self, x: Tensor) -> Tensor:
        """Return the normalized maps."""
        total = self.sum_neighbors(ops.square(x)) + self.bias
        if self.beta == 0.75:
            root = ops.rsqrt(total)
            scale = root * ops.sqrt(root)
        else:
            scale = ops.exp(-self.beta * ops.log(total))
        return x * ops.reshape(scale, ops.shape(x))

    def sum_neighbors(self, squares: Tensor) -> Tensor:
        """Return alpha times the sum over the neighbors of each channel.

        The values are in the order of the maps, but not in their shape: the convolution can add the
        bias only if nothing stands between them.
        """
        _, _, cell, block = self._kernel.shape
        _, _, width, channels = ops.shape(squares)
        cells = ops.reshape(squares, (-1, width, channels // cell, cell))
        kernel = ops.cast(self._kernel, self.compute_dtype)
        strides = (1, block // cell)
        return ops.conv(cells, kernel, strides, "same", data_format="channels_last")

    def band(self, channels: NDArray[np.int_], others: NDArray[np.int_]) -> NDArray[np.float32]:
        """Return alpha for each two channels that are neighbors, and zero for the rest.

        Args:
            channels: Numbers of channels, `(n,)`.
            others: Numbers of other channels, `(m,)`.

        Returns:
            Weights, `(n, m)`.
        """
        distances = np.abs(channels[:, None] - others)
        return (self.alpha * (distances <= self.depth_radius)).astype(np.float32)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the input shape."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the layer."""
        own = ("depth_radius", "bias", "alpha", "beta")
        return super().get_config() | {key: getattr(self, key) for key in own}


def local_response_norm(x: Tensor, *, bias: float, alpha: float, name: str) -> Tensor:
    """Normalize over five neighboring channels, in float32, because half precision overflows.

    Args:
        x: Feature map `(batch, height, width, channels)`.
        bias: Constant of the divisor, k in the papers.
        alpha: Weight of each square, a fifth of Caffe's alpha.
        name: Name of the layer.
    """
    return LocalResponseNormalization(2, bias, alpha, 0.75, name=name, dtype="float32")(x)


def classifier(x: Tensor, num_classes: int, activation: str | None, prefix: str = "") -> Tensor:
    """Map features `(batch, features)` to class scores `(batch, num_classes)`.

    Args:
        x: Features.
        num_classes: Number of classes.
        activation: ``"softmax"`` for probabilities, None for logits.
        prefix: Prefix of the layers' names, for auxiliary classifiers.
    """
    name = f"{prefix}logits"
    x = layers.Dense(num_classes, kernel_initializer=KERNEL_INITIALIZER, name=name)(x)
    return activate(x, activation, prefix)


def activate(logits: Tensor, activation: str | None, prefix: str = "") -> Tensor:
    """Apply the activation of a classifier, in float32 also in mixed precision."""
    if activation is None:
        return logits
    return layers.Activation(activation, name=f"{prefix}probabilities", dtype="float32")(logits)
