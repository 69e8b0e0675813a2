"""A confusion matrix as an image."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

_MAX_NAMED = 25  # classes; with more of them, names and counts are too small to read
_MAX_LENGTH = 20  # of a class name, in characters


@mpl.rc_context({"text.parse_math": False})
def draw_confusion(matrix: NDArray[np.int64], classes: Sequence[str]) -> NDArray[np.uint8]:
    """Draw the share of each prediction among the images of a class, and the counts.

    Args:
        matrix: Numbers of images by true class (row) and predicted class (column),
            `(classes, classes)`.
        classes: Class names.

    Returns:
        `(height, width, 3)` pixels.
    """
    is_named = len(classes) <= _MAX_NAMED
    side = 3.0 + 0.36 * len(classes) if is_named else 10.0  # inches
    figure = Figure((side, side), dpi=100, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set(xlabel="predicted class", ylabel="true class")
    if is_named:
        names = [name if len(name) <= _MAX_LENGTH else f"{name[:_MAX_LENGTH]}…" for name in classes]
        axes.set_xticks(range(len(names)), names, rotation=90)
        axes.set_yticks(range(len(names)), names)
        for true, predicted in zip(*matrix.nonzero(), strict=True):
            color = "white" if shares[true, predicted] > 0.5 else "black"
            text = f"{matrix[true, predicted]}"
            axes.text(predicted, true, text, ha="center", va="center", color=color, fontsize=8)
    with warnings.catch_warnings():
        # The font may lack characters of the names; it shows boxes instead.
        warnings.filterwarnings("ignore", "Glyph .* missing", UserWarning)
        canvas.draw()
    return np.asarray(canvas.buffer_rgba(), np.uint8)[..., :3]
