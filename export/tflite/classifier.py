"""Classify images with a file: its preprocessing, its classes and its outputs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.data.preprocessing import Preprocessing, normalization_to
from cnn_keras.errors import Error, UsageError

from . import metadata
from .flatbuffer import ModelFile
from .interpreter import Interpreter, ModelFileError, TensorSpec, read_file


class Description(NamedTuple):
    """Preprocessing and classes of a file.

    Attributes:
        preprocessing: From an image to the input, before quantization.
        labels: Class names; empty if the file has none.
        num_classes: Number of outputs.
    """

    preprocessing: Preprocessing
    labels: tuple[str, ...]
    num_classes: int

    @property
    def classes(self) -> tuple[str, ...]:
        """One name for each output: its number if the number of labels is different."""
        numbers = tuple(map(str, range(self.num_classes)))
        return self.labels if len(self.labels) == self.num_classes else numbers


def describe(file: Path, pixel_range: tuple[float, float] | None = None) -> Description:
    """Return the preprocessing and classes of a file; call it in a subprocess (see `isolation`).

    Args:
        file: The file.
        pixel_range: Values of black and white in the input, for a file that does not state its
            preprocessing.

    Raises:
        ModelFileError: The file cannot be read, is damaged or is not a classifier of gray or RGB
            images; or its preprocessing is broken.
        UsageError: Neither the file nor `pixel_range` states the preprocessing, or both do.
    """
    interpreter = Interpreter(file)
    try:
        about = metadata.read(ModelFile(read_file(file)))
    except ModelFileError as error:
        raise ModelFileError(f"{file}: {error}") from None
    shape = interpreter.input.shape[1:]
    if shape[2] not in (1, 3):
        raise ModelFileError(f"'{file}' takes images of {shape[2]} channels, not gray or RGB.")
    stated = about.preprocessing if about else None
    if stated is not None and pixel_range:
        raise UsageError(f"'{file}' states its preprocessing: leave out --pixel-range.")
    if stated is None and not pixel_range:
        raise UsageError(
            f"'{file}' does not state its preprocessing: give the values of black and white that "
            f"it expects, {_example(interpreter.input)}."
        )
    if stated is None:
        assert pixel_range
        preprocessing = _from_range(pixel_range, shape)
    else:
        preprocessing = _parse(stated, shape, file)
    return Description(preprocessing, about.labels if about else (), interpreter.output.shape[1])


def classify(
    file: Path, images: NDArray[np.float32], advance: Callable[[], None] | None = None
) -> NDArray[np.float32]:
    """Return a file's outputs for preprocessed images; call it in a subprocess (see `isolation`).

    Args:
        file: The file.
        images: `(n, height, width, channels)`.
        advance: Called after each image.

    Returns:
        `(n, classes)`.

    Raises:
        ModelFileError: See `interpreter.Interpreter`.
    """
    return Interpreter(file)(images, advance)


def _from_range(pixel_range: tuple[float, float], shape: tuple[int, ...]) -> Preprocessing:
    height, width, channels = shape
    mean, std = normalization_to(*pixel_range)
    return Preprocessing(height, width, channels, (mean,) * channels, (std,) * channels)


def _parse(stated: dict[str, Any], shape: tuple[int, ...], file: Path) -> Preprocessing:
    """Parse the preprocessing that a file states.

    Raises:
        ModelFileError: It lacks a value, or does not fit the file's input.
    """
    try:
        preprocessing = Preprocessing.from_dict(stated)
    except Error as error:
        raise ModelFileError(f"'{file}': {error}") from None
    values = np.array([preprocessing.mean, preprocessing.std])
    fits = preprocessing.shape == shape and values.shape[1:] == shape[2:]
    if not fits or not np.isfinite(values).all() or not np.all(values[1]):
        raise ModelFileError(
            f"'{file}' states a preprocessing that does not fit its input "
            f"{' × '.join(map(str, shape))}: export it again."
        )
    return preprocessing


def _example(image: TensorSpec) -> str:
    """Return the option that fits most files with such an input, as an example."""
    if not np.issubdtype(np.dtype(image.dtype), np.integer):
        return "for example --pixel-range 0 1 or --pixel-range -1 1"
    lowest = -128 if image.dtype == "int8" else 0
    scale, zero_point = image.scale or 1.0, image.zero_point
    low, high = ((value - zero_point) * scale for value in (lowest, lowest + 255))
    return f"for example --pixel-range {low:.6g} {high:.6g} for raw pixels in its {image.dtype}"
