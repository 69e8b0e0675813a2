"""How an external model expects its pixels to be normalized."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.preprocessing import normalization_to
from ..errors import UsageError
from ..model_files import keras2
from ..model_files.nested_layers import operations
from .source_options import SourceOptions

RescaledRange: TypeAlias = NDArray[np.float32]
"""What a model's own rescaling maps pixels of 0 and of 255 to: `(2, channels)`, or `(2, 1)` if it
treats all channels alike."""


class Normalization(NamedTuple):
    """The input that a model expects, `(pixel - mean) / std` of pixels from 0 to 255.

    Attributes:
        mean: Of red, green and blue, or of gray.
        std: Of the same.
        is_bgr: Whether the model expects the channels in the order blue, green, red.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    is_bgr: bool = False


IDENTITY = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def rescaled_range(model: Any) -> RescaledRange | None:
    """Return what a model's own `Rescaling` and `Normalization` layers map 0 and 255 to.

    They count if they come before all layers with weights and before all functions, which cannot
    be inspected.

    Args:
        model: A model of Keras 3 or `tf_keras`.

    Returns:
        The range, or None if the model does not begin with such a layer.
    """
    library = keras2.library_of(model)
    rescaling = library.layers.Rescaling, library.layers.Normalization
    ends, found = np.array([0, 255], np.float32).reshape(2, 1, 1, 1), False
    for operation in operations(model):
        if isinstance(operation, library.Model):
            continue
        if isinstance(operation, rescaling):
            ends, found = np.asarray(operation(ends)), True
        elif getattr(operation, "weights", ()) or not _keeps_values(operation):
            break
    # Statistics by position divide by almost nothing where all images are alike: take the median.
    return np.median(ends, axis=(1, 2)) if found else None


def _keeps_values(operation: Any) -> bool:
    """Return whether an operation without weights is a layer, which may move pixels, or a cast."""
    import keras

    name = type(operation).__name__
    if isinstance(operation, keras.Operation):
        return isinstance(operation, keras.Layer) or name == "Cast"
    return name not in keras2.FUNCTION_LAYERS


def expects_uint8_range(rescaled: RescaledRange) -> bool:
    """Return whether a model's own rescaling is plausible for pixels from 0 to 255.

    It is if the results are small numbers, as after 1/255, 1/127.5 or a division by the standard
    deviation of images, or if they are centered, as after a subtraction of the mean alone. A layer
    for pixels from 0 to 1 or from -1 to 1 maps 255 far away: standard deviations there are at most
    0.5 and 1, so the results span at least 510 or 255. A factor of 1/16, for scikit-learn's digits,
    maps 255 to 16, and 1/65535, for 16 bits, leaves next to nothing.

    Example:
        >>> pairs = (0, 1), (-1, 509), (-124, 131)
        >>> [expects_uint8_range(np.array([[low], [high]])) for low, high in pairs]
        [True, False, True]
    """
    low, high = rescaled.min(axis=0), rescaled.max(axis=0)
    span = high - low
    small = (np.abs(rescaled) <= 10).all() and (span >= 0.5).all()
    centered = (np.abs(span - 255) < 1).all() and (low < -32).all() and (high > 32).all()
    return bool(small or centered)


def infer_normalization(
    preprocess: Callable[[NDArray[np.float64]], NDArray[np.float64]],
) -> Normalization:
    """Return the normalization that a preprocessing function computes.

    Args:
        preprocess: Function of `(batch, height, width, 3)`, affine in each channel; it may reverse
            the channels.
    """
    black = preprocess(np.zeros((1, 1, 1, 3))).ravel()
    colors = preprocess(255 * np.eye(3).reshape(3, 1, 1, 3)).reshape(3, 3)
    slopes = (colors - black) / 255  # a row for each color, a column for each channel
    is_bgr = bool(slopes[0, 2])
    if is_bgr:
        slopes, black = slopes[:, ::-1], black[::-1]
    scale = slopes.diagonal()
    mean, std = (tuple(np.round(values, 6).tolist()) for values in (0.0 - black / scale, 1 / scale))
    return Normalization(mean, std, is_bgr)


def choose_normalization(
    options: SourceOptions,
    known: Normalization | None,
    rescaled: RescaledRange | None,
    source: Path,
    channels: int,
) -> Normalization:
    """Return the normalization of a model: what the options say, else what the model says.

    Args:
        options: The user's options.
        known: Normalization that the model implies, if it does.
        rescaled: See `rescaled_range`.
        source: File, folder or name of the model, for messages.
        channels: 1 or 3.

    Raises:
        UsageError: Neither options nor model say it, or the options are not for gray images.
    """
    if options.pixel_range:
        mean, std = normalization_to(*options.pixel_range)
        return Normalization((mean,) * channels, (std,) * channels)
    if options.preprocessing:
        from keras.applications import imagenet_utils

        mode = options.preprocessing
        known = infer_normalization(partial(imagenet_utils.preprocess_input, mode=mode))
        if channels != 3:
            raise UsageError(f"{source} takes gray images: --preprocessing is for RGB.")
    if known is None and rescaled is not None:
        raise UsageError(
            f"The pixel range that {source} expects is unclear: its own rescaling maps 0 to 255 to "
            f"{rescaled.min():.4g} to {rescaled.max():.4g}. Give --pixel-range 0 1, --pixel-range "
            "-1 1 or another range that it was trained on, or --pixel-range 0 255 if that is right."
        )
    if known is None:
        raise UsageError(
            f"The pixel range that {source} expects is unknown: give --pixel-range 0 1, "
            "--pixel-range -1 1, --pixel-range 0 255 if the model rescales pixels itself, or "
            "--preprocessing caffe, torch or tf."
        )
    return known._replace(mean=known.mean[:channels], std=known.std[:channels])


def double_rescaling_remarks(
    options: SourceOptions,
    normalization: Normalization,
    rescaled: RescaledRange | None,
    source: Path,
) -> list[str]:
    """Return a remark if an option rescales pixels for a model that rescales them itself."""
    is_identity = not any(normalization.mean) and set(normalization.std) == {1.0}
    if rescaled is None or not expects_uint8_range(rescaled) or is_identity:
        return []
    option = "--pixel-range" if options.pixel_range else "--preprocessing"
    return [
        f"{source} rescales pixels of 0 to 255 by itself, and {option} rescales them before it: "
        f"leave {option} out, unless the model was trained on pixels that were rescaled twice."
    ]


def require_integer_pixels(normalization: Normalization, dtype: str, source: Path) -> None:
    """Check that a model of integer images gets integers, and that unsigned ones are not negative.

    Raises:
        UsageError: The normalization makes fractions or negative pixels.
    """
    is_integer = set(normalization.std) == {1.0} and all(m.is_integer() for m in normalization.mean)
    if dtype == "float32" or (is_integer and (dtype != "uint8" or not any(normalization.mean))):
        return
    raise UsageError(f"{source} takes images of {dtype}: only --pixel-range 0 255 fits it.")
