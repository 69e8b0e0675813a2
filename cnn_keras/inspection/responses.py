"""Measure how strongly the layers of a CIFAR network respond and how much its modules change.

Reference:
    He, Zhang, Ren, Sun, "Deep residual learning for image recognition", arXiv:1512.03385, Fig. 7.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..data.preprocessing import Float32Images

if TYPE_CHECKING:
    import keras


def response_deviations(model: keras.Model, images: Float32Images) -> dict[str, float]:
    """Return the standard deviation of each 3×3 convolution's response.

    Responses are taken after batch normalization and before the rectifier or the addition.

    Args:
        model: Residual network for CIFAR, or a plain one.
        images: `(n, height, width, channels)`.

    Returns:
        Standard deviations over images, positions and channels, by the convolution's name.
    """
    import keras

    names = [
        layer.name
        for layer in model.layers
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (3, 3)
    ]
    outputs = [model.get_layer(f"{name}_bn").output for name in names]
    responses = keras.Model(model.input, outputs).predict_on_batch(images)
    return {name: float(maps.std()) for name, maps in zip(names, responses, strict=True)}


def module_changes(model: keras.Model, images: Float32Images) -> dict[str, float]:
    """Return how much each module that keeps the shape changes its input, before rectification.

    Args:
        model: Residual network for CIFAR, or a plain one.
        images: `(n, height, width, channels)`.

    Returns:
        Norm of the change divided by the norm of the input, mean over images, by the module's row.
    """
    import keras

    rows = [
        layer.name.removesuffix("_b_bn") for layer in model.layers if layer.name.endswith("_b_bn")
    ]
    tensors = {
        row: (model.get_layer(f"{row}_a").input, model.get_layer(f"{row}_b_bn").output)
        for row in rows
    }
    tensors = {row: (x, y) for row, (x, y) in tensors.items() if x.shape == y.shape}
    outputs = [tensor for pair in tensors.values() for tensor in pair]
    maps = keras.Model(model.input, outputs).predict_on_batch(images)
    residual = any(isinstance(layer, keras.layers.Add) for layer in model.layers)

    def relative_change(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
        change = y if residual else y - x
        norms = [np.linalg.norm(each.reshape(len(each), -1), axis=1) for each in (change, x)]
        return float((norms[0] / norms[1]).mean())

    pairs = zip(maps[::2], maps[1::2], strict=True)
    return {row: relative_change(*pair) for row, pair in zip(tensors, pairs, strict=True)}
