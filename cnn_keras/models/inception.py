"""The Inception module, naive and with dimension reduction.

Reference:
    Szegedy et al., "Going deeper with convolutions", arXiv:1409.4842, section 4 and figure 2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from keras import layers

from ..blocks import Tensor, conv_relu, max_pool


class Widths(NamedTuple):
    """The columns of Table 1: filters of each convolution of a module."""

    conv1: int  # #1×1
    reduce3: int  # #3×3 reduce
    conv3: int  # #3×3
    reduce5: int  # #5×5 reduce
    conv5: int  # #5×5
    pool_proj: int


def naive_inception(
    x: Tensor,
    conv1: int,
    conv3: int,
    conv5: int,
    *,
    name: str,
    conv: Callable[..., Tensor] = conv_relu,
) -> Tensor:
    """Apply 1×1, 3×3 and 5×5 convolutions and a pooling in parallel (Fig. 2a).

    Args:
        x: Feature map `(batch, height, width, channels)`.
        conv1: Filters of the 1×1 convolution.
        conv3: Filters of the 3×3 convolution.
        conv5: Filters of the 5×5 convolution.
        name: Row that the layers belong to.
        conv: Function that convolves and rectifies.

    Returns:
        Feature map `(batch, height, width, conv1 + conv3 + conv5 + channels)`. The pooling keeps
        all channels, so their number grows from module to module.
    """
    branches = [
        conv(x, conv1, 1, name=f"{name}_1x1"),
        conv(x, conv3, 3, name=f"{name}_3x3"),
        conv(x, conv5, 5, name=f"{name}_5x5"),
        max_pool(x, 3, 1, name=f"{name}_pool"),
    ]
    return layers.Concatenate(name=f"{name}_concat")(branches)


def inception(
    x: Tensor,
    widths: Widths,
    *,
    name: str,
    conv: Callable[..., Tensor] = conv_relu,
    kernel5: int = 5,
) -> Tensor:
    """Apply the same after 1×1 convolutions that reduce the channels (Fig. 2b).

    Args:
        x: Feature map `(batch, height, width, channels)`.
        widths: Filters of the six convolutions.
        name: Row that the layers belong to.
        conv: Function that convolves and rectifies.
        kernel5: Kernel size of the third branch.

    Returns:
        Feature map `(batch, height, width, conv1 + conv3 + conv5 + pool_proj)`.

    Example:
        >>> import keras
        >>> inception(keras.Input((28, 28, 192)), Widths(64, 96, 128, 16, 32, 32), name="3a").shape
        (None, 28, 28, 256)
    """
    reduced3 = conv(x, widths.reduce3, 1, name=f"{name}_3x3_reduce")
    reduced5 = conv(x, widths.reduce5, 1, name=f"{name}_5x5_reduce")
    pooled = max_pool(x, 3, 1, name=f"{name}_pool")
    branches = [
        conv(x, widths.conv1, 1, name=f"{name}_1x1"),
        conv(reduced3, widths.conv3, 3, name=f"{name}_3x3"),
        conv(reduced5, widths.conv5, kernel5, name=f"{name}_5x5"),
        conv(pooled, widths.pool_proj, 1, name=f"{name}_pool_proj"),
    ]
    return layers.Concatenate(name=f"{name}_concat")(branches)
