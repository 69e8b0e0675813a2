"""Paths through a residual network: their number by length, and the gradients along them.

In every module a path takes the branch or the shortcut, so n modules have 2^n paths. The length of
a path is the number of branches it takes. The gradient with respect to the first module's input is
the sum of the gradients along all paths.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 1 and 6.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..command import progress
from ..data.preprocessing import Float32Images
from ..data.splits import Labels
from .gradients import gradient

if TYPE_CHECKING:
    from ..blocks import Tensor
    from .surgery import ModularNetwork

BATCH_SIZE = 64  # stores 0.5 GB of ResNet-56's activations for the backward pass


def path_counts(modules: int) -> list[int]:
    """Return the number of paths of each length, 0 to `modules`.

    Example:
        >>> path_counts(3)
        [1, 3, 3, 1]
    """
    return [math.comb(modules, length) for length in range(modules + 1)]


def path_gradients(
    network: ModularNetwork, images: Float32Images, labels: Labels, paths: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the gradient of each image's loss along one path.

    The forward pass uses the whole network. In the backward pass the gradient flows through the
    branches that the path takes, and through the shortcuts of the other modules.

    Args:
        network: A residual network that ends with logits.
        images: `(n, height, width, channels)`.
        labels: `(n,)`.
        paths: Modules whose branches the path of each image takes, `(n, modules)`.

    Returns:
        Gradient of the cross-entropy with respect to the first module's input,
        `(n, height, width, channels)`.
    """
    import keras
    from keras import ops

    takes_branch = ops.convert_to_tensor(paths.astype(np.float32)[..., None, None, None])

    def scale_gradient(x: Tensor, factor: Tensor) -> Tensor:
        constant = ops.stop_gradient(x)
        return constant + factor * (x - constant)

    def loss(x: Tensor) -> Tensor:
        for index, module in enumerate(network.modules):
            factor = takes_branch[:, index]
            branch = scale_gradient(module.branch(x), factor)
            x = module.tail(branch + scale_gradient(module.shortcut(x), 1 - factor))
        logits = network.head(x)
        return ops.sum(
            keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        )

    return gradient(loss, ops.convert_to_numpy(network.stem(images)))


def path_gradient_norms(
    network: ModularNetwork, images: Float32Images, labels: Labels, seed: int
) -> NDArray[np.float64]:
    """Return the L2 norm of the gradient along a random path of each length.

    Args:
        network: See `path_gradients`.
        images: `(n, height, width, channels)`; each is a sample for every length.
        labels: `(n,)`.
        seed: Seed of the random paths.

    Returns:
        Norms by image and length, `(n, modules + 1)`.
    """
    modules = len(network.modules)
    lengths = np.arange(modules + 1)
    ranks = np.random.default_rng(seed).random((len(images), len(lengths), modules))
    paths = ranks.argsort(axis=2).argsort(axis=2) < lengths[:, None]
    norms = np.empty((len(images), len(lengths)))
    starts = range(0, len(images), BATCH_SIZE)
    with progress("gradient along paths", len(starts) * len(lengths)) as advance:
        for start in starts:
            batch = slice(start, start + BATCH_SIZE)
            for length in lengths:
                found = path_gradients(network, images[batch], labels[batch], paths[batch, length])
                flat = found.astype(float).reshape(len(found), -1)
                norms[batch, length] = np.linalg.norm(flat, axis=1)
                advance()
    return norms


def central_interval(shares: NDArray[np.float64], mass: float) -> tuple[int, int]:
    """Return the first and last length of the central interval that holds a share of the total.

    Args:
        shares: Share of each length from 0; they sum to 1.
        mass: Share that the interval holds at least; equal parts of the rest are on either side.

    Example:
        >>> central_interval(np.array([0.01, 0.29, 0.4, 0.28, 0.02]), 0.95)
        (1, 3)
    """
    below = np.cumsum(shares)
    outside = (1 - mass) / 2
    return int((below <= outside).sum()), int((below < 1 - outside).sum())
