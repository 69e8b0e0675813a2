"""Comparison of a file's probabilities with those of the Keras model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Comparison:
    """How a file compares with the Keras model on the same images.

    The last three attributes compare the file with the network after further training, if its
    recipe includes any.

    Attributes:
        num_images: Number of images.
        top1_float: Top-1 accuracy of the Keras model; None for images without labels.
        top1_file: Top-1 accuracy of the file; None for images without labels.
        drop_points: Accuracy that the file loses, in percentage points, negative if it gains; None
            for images without labels.
        agreement: Share of images for which both predict the same class.
        max_abs_error: Greatest difference of any probability; None if the file gives NaN.
        snr_db: Power of the model's probabilities over that of the differences, in decibels; None
            if there is no difference, or NaN.
    """

    num_images: int
    top1_float: float | None
    top1_file: float | None
    drop_points: float | None
    agreement: float
    max_abs_error: float | None
    snr_db: float | None


def compare(
    outputs: NDArray[np.float32],
    reference: NDArray[np.float32],
    source: NDArray[np.float32],
    labels: NDArray[np.integer[Any]] | None,
) -> tuple[Comparison, int, int]:
    """Return the comparison, and the counts of correct predictions that are lost and gained."""
    predicted = outputs.argmax(axis=1)
    max_abs_error, snr_db = _errors(outputs, source)
    comparison = Comparison(
        num_images=len(outputs),
        top1_float=None,
        top1_file=None,
        drop_points=None,
        agreement=float((predicted == source.argmax(axis=1)).mean()),
        max_abs_error=max_abs_error,
        snr_db=snr_db,
    )
    if labels is None:
        return comparison, 0, 0
    correct_float, correct_file = reference.argmax(axis=1) == labels, predicted == labels
    lost = int((correct_float & ~correct_file).sum())
    gained = int((correct_file & ~correct_float).sum())
    comparison = replace(
        comparison,
        top1_float=float(correct_float.mean()),
        top1_file=float(correct_file.mean()),
        drop_points=100 * (lost - gained) / len(outputs),
    )
    return comparison, lost, gained


def _errors(
    outputs: NDArray[np.float32], source: NDArray[np.float32]
) -> tuple[float | None, float | None]:
    """Return the greatest error and the signal-to-noise ratio; None where they are undefined."""
    error = outputs.astype(np.float64) - source
    noise = float(np.square(error).sum())
    signal = float(np.square(source.astype(np.float64)).sum())
    if not math.isfinite(noise):
        return None, None
    return float(np.abs(error).max()), 10 * math.log10(signal / noise) if noise else None
