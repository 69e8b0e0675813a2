"""Paths through a residual network: how many are so long, and how much gradient comes along one.

Every module is a fork, through its branch or around it, so n modules make 2^n paths; a path is as
long as the branches that it goes through. The gradient with respect to the first module's input is
the sum of the gradients along all paths.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 1 and 6.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..command import progress
from ..data.preprocessing import Float32Images
from ..data.splits import Labels
from .gradients import gradient

if TYPE_CHECKING:
    from ..blocks import Tensor
    from .surgery import Chain

BATCH_SIZE = 64  # of ResNet-56 it keeps 0.5 GB of activations for the way back


def counts(modules: int) -> list[int]:
    """Return how many paths go through 0, 1, ... branches of so many modules.

    Example:
        >>> counts(3)
        [1, 3, 3, 1]
    """
    found = [1]
    for _ in range(modules):  # through the next module's branch, or around it
        found = [around + through for around, through in zip([*found, 0], [0, *found], strict=True)]
    return found


def gradients_along(
    chain: Chain, images: Float32Images, labels: Labels, paths: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Return the gradient of each image's loss along one path.

    Images go forward through everything, and the gradient comes back through the branches that the
    path goes through, and around the others.

    Args:
        chain: A residual network that ends with logits.
        images: `(n, height, width, channels)`.
        labels: `(n,)`.
        paths: Of each image, the modules through whose branch the path goes, `(n, modules)`.

    Returns:
        Of the cross-entropy with respect to the first module's input,
        `(n, height, width, channels)`.
    """
    import keras
    from keras import ops

    through = ops.convert_to_tensor(paths.astype(np.float32)[..., None, None, None])

    def part(x: Tensor, share: Tensor) -> Tensor:
        """Return `x`, of whose gradient only a share comes back."""
        still = ops.stop_gradient(x)
        return still + share * (x - still)

    def loss(x: Tensor) -> Tensor:
        for place, module in enumerate(chain.modules):
            share = through[:, place]
            x = module.join(part(module.branch(x), share) + part(module.shortcut(x), 1 - share))
        logits = chain.after(x)
        return ops.sum(
            keras.losses.sparse_categorical_crossentropy(labels, logits, from_logits=True)
        )

    return gradient(loss, ops.convert_to_numpy(chain.before(images)))


def magnitudes(
    chain: Chain, images: Float32Images, labels: Labels, seed: int
) -> NDArray[np.float64]:
    """Measure how much gradient comes along paths of each length.

    Args:
        chain: See `gradients_along`.
        images: `(n, height, width, channels)`; each is a sample of every length.
        labels: `(n,)`.
        seed: Decides the paths.

    Returns:
        The gradient's L2 norm along a random path of each length, `(n, modules + 1)`.
    """
    modules = len(chain.modules)
    lengths = np.arange(modules + 1)
    ranks = np.random.default_rng(seed).random((len(images), len(lengths), modules))
    paths = ranks.argsort(axis=2).argsort(axis=2) < lengths[:, None]
    found = np.empty((len(images), len(lengths)))
    starts = range(0, len(images), BATCH_SIZE)
    with progress("gradient along paths", len(starts) * len(lengths)) as advance:
        for start in starts:
            some = slice(start, start + BATCH_SIZE)
            for length in lengths:
                along = gradients_along(chain, images[some], labels[some], paths[some, length])
                norms = np.linalg.norm(along.astype(float).reshape(len(along), -1), axis=1)
                found[some, length] = norms
                advance()
    return found


def central(shares: NDArray[np.float64], mass: float) -> tuple[int, int]:
    """Return the first and the last of the lengths that hold a mass, as much left out on each side.

    Args:
        shares: Of each length from 0 on; they sum to 1.
        mass: Between 0 and 1; what is returned holds it or more.

    Example:
        >>> central(np.array([0.01, 0.29, 0.4, 0.28, 0.02]), 0.95)
        (1, 3)
    """
    below = np.cumsum(shares)
    outside = (1 - mass) / 2
    return int((below <= outside).sum()), int((below < 1 - outside).sum())
