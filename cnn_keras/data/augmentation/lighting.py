"""Lighting of AlexNet: random changes of intensity and color along the principal components."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..preprocessing import UInt8Images

if TYPE_CHECKING:
    import tensorflow as tf


class Lighting(NamedTuple):
    """Random changes along principal components.

    Attributes:
        components: See `principal_components`.
        deviation: Standard deviation of their random multiples, 0.1 in the paper.
    """

    components: NDArray[np.float64]
    deviation: float


def principal_components(chunks: Iterable[UInt8Images]) -> NDArray[np.float64]:
    """Return the principal components of the pixels of images, each times its eigenvalue.

    The eigenvalues are those of the covariance of the channels. They depend on the unit of a pixel,
    which the paper does not name. Here it is a pixel from 0 to 1: with pixels from 0 to 255 the
    changes would be 255 times as large, more than from black to white.

    Args:
        chunks: All images, some at a time, `(n, height, width, channels)`.

    Returns:
        One component a row, the largest first, `(channels, channels)`, in pixel values from 0 to
        255.

    Reference:
        Krizhevsky et al. 2012, section 4.1.
    """
    count: int = 0
    total: Any = 0
    products: Any = 0
    for chunk in chunks:
        for image in chunk:  # one at a time: in float64 a pixel takes eight times its memory
            pixels = image.reshape(-1, image.shape[-1]).astype(np.float64)
            count += len(pixels)
            total = total + pixels.sum(axis=0)
            products = products + pixels.T @ pixels
    mean = total / count
    covariance = (products / count - np.outer(mean, mean)) / 255**2
    values, vectors = np.linalg.eigh(covariance)
    components: NDArray[np.float64] = (255 * np.maximum(values, 0) * vectors).T[::-1]
    # The sign of an eigenvector is arbitrary, and that of a normal number as well.
    return components * np.where(components.sum(axis=1, keepdims=True) < 0, -1, 1)


def light(images: tf.Tensor, lighting: Lighting, numbers: tf.Tensor) -> tf.Tensor:
    """Add random multiples of the principal components to all pixels of each image.

    Args:
        images: `(batch, height, width, channels)` float32, pixels from 0 to 255.
        lighting: The components, and the size of their multiples.
        numbers: `(batch, channels)` normal numbers, of which each is for one component.
    """
    import tensorflow as tf

    components = tf.constant(lighting.deviation * lighting.components, tf.float32)
    return images + tf.matmul(numbers, components)[:, tf.newaxis, tf.newaxis, :]
