"""Train convolutions faster: crop kernels, split groups, and replace those that suit LiteRT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

    from ...blocks import LocalResponseNormalization


def crop_kernels(model: keras.Model) -> None:
    """Let convolutions use only the part of their kernels that can meet their input.

    On a map of 1×1, only the center of a padded 3×3 kernel meets a value; the other weights are
    multiplied by zeros, and their gradient is zero. ResNet-18 at 32×32 and GoogLeNet at 32×32 end
    with such maps, where large kernels take much of the time of a training step. The results differ
    only by rounding; the weights, saved models and other layers stay as they are.

    Args:
        model: A model that is trained next, with channels as the last axis.
    """
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and _is_padded(layer):
            sizes = layer.input.shape[1:3]
            used = tuple(map(_used_weights, layer.kernel_size, sizes))
            if used != (slice(None), slice(None)):
                layer.convolution_op = _cropped(layer.convolution_op, used)


def split_groups(model: keras.Model) -> None:
    """Let each group of a grouped convolution be convolved by an operation of its own.

    Keras compiles a grouped convolution with XLA, because TensorFlow cannot train it on a CPU. The
    two groups of AlexNet then take most of the time of a training step. The results differ only by
    rounding; the weights, saved models, other layers and other backends stay as they are.

    Args:
        model: A model that is trained next, with channels as the last axis.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.groups > 1:
            layer.convolution_op = _split(layer.convolution_op, layer.groups)


def pool_subsampling(model: keras.Model) -> None:
    """Let shortcuts keep every second row and column by pooling over windows of one value.

    In a network they are depthwise convolutions with kernels of ones (`models.shortcuts`), which
    suit LiteRT. oneDNN has no fast kernel for their gradient in bfloat16: in ResNet-20, the two of
    them take a tenth of a training step. The results, weights and saved models stay as they are.

    Args:
        model: A model that is trained next, with channels as the last axis.
    """
    from ...models.shortcuts import is_subsampling

    for layer in model.layers:
        if is_subsampling(layer):
            layer.call = _pooled(layer)


def multiply_by_bands(model: keras.Model) -> None:
    """Let local response normalizations sum neighboring channels by a product with a matrix.

    In a network the sum is a convolution (`blocks.LocalResponseNormalization`), which suits LiteRT.
    Its gradient is slow: without the two of AlexNet, a training step at 28×28 takes a tenth less.
    The results differ only by rounding; the weights and saved models stay as they are.

    Args:
        model: A model that is trained next, with channels as the last axis.
    """
    from ...blocks import LocalResponseNormalization

    for layer in model.layers:
        if isinstance(layer, LocalResponseNormalization):
            layer.sum_neighbors = _multiplied(layer)  # type: ignore[method-assign]


def _is_padded(layer: keras.layers.Conv2D) -> bool:
    return layer.padding == "same" and set(layer.strides) == set(layer.dilation_rate) == {1}


def _used_weights(kernel_size: int, size: int | None) -> slice:
    """Return the weights along an axis that meet one of `size` values; None is an unknown size."""
    if size is None or kernel_size <= 2 * size - 1:
        return slice(None)
    start = (kernel_size - 1) // 2 - (size - 1)
    return slice(start, start + 2 * size - 1)


def _cropped(convolution: Any, used: tuple[slice, ...]) -> Any:
    """Return a layer's convolution with the used part of its kernel."""

    def convolution_op(inputs: Any, kernel: Any) -> Any:
        return convolution(inputs, kernel[used])

    return convolution_op


def _split(convolution: Any, groups: int) -> Any:
    """Return a layer's convolution, one group at a time."""
    from keras import ops

    def convolution_op(inputs: Any, kernel: Any) -> Any:
        pairs = zip(*(ops.split(each, groups, axis=-1) for each in (inputs, kernel)), strict=True)
        return ops.concatenate([convolution(*pair) for pair in pairs], axis=-1)

    return convolution_op


def _pooled(layer: keras.layers.DepthwiseConv2D) -> Any:
    """Return the `call` of a layer that subsamples."""
    from keras import ops

    def call(inputs: Any) -> Any:
        return ops.average_pool(inputs, 1, layer.strides, layer.padding)

    return call


def _multiplied(layer: LocalResponseNormalization) -> Any:
    """Return the `sum_neighbors` of a layer, by a product with the band of neighbors."""
    import numpy as np
    from keras import ops

    channels = np.arange(layer.input.shape[-1])
    band = layer.band(channels, channels)

    def sum_neighbors(squares: Any) -> Any:
        rows = ops.reshape(squares, (-1, len(band)))
        return ops.matmul(rows, ops.cast(band, layer.compute_dtype))

    return sum_neighbors
