"""Size and stroke width of drawings in training images, which the app's drawing pad imitates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INK = 128  # the least pixel value of ink, half of white


def measure_drawing(images: NDArray[np.uint8]) -> dict[str, float] | None:
    """Measure light drawings on a dark background.

    The stroke width follows from the distance of the ink's pixels to its edge: across a stroke of
    width w the distance grows from 0 to w / 2 and falls again, and its mean is w / 4.

    Args:
        images: Pixels `(n, height, width, channels)`.

    Returns:
        ``extent``, the longer side of the ink's bounding box, and ``stroke_width``, both as
        fractions of the image height and averaged over the images that have ink. None for color
        images, or if no image has ink.

    Example:
        >>> image = np.zeros((1, 40, 40, 1), np.uint8)
        >>> image[:, 4:36, 16:24] = 255
        >>> measure_drawing(image)
        {'extent': 0.8, 'stroke_width': 0.184}
    """
    from scipy.ndimage import distance_transform_edt

    _, height, _, channels = images.shape
    if channels != 1:
        return None
    extents, widths = [], []
    for ink in images[..., 0] >= INK:
        if not ink.any():
            continue
        sides = [np.ptp(np.flatnonzero(ink.any(axis))) + 1 for axis in (0, 1)]
        # Distances are between the centers of pixels; the edge is half a pixel closer.
        distances = distance_transform_edt(np.pad(ink, 1))[1:-1, 1:-1][ink] - 0.5
        extents.append(max(sides) / height)
        widths.append(4 * distances.mean() / height)
    if not extents:
        return None
    return {
        "extent": round(float(np.mean(extents)), 3),
        "stroke_width": round(float(np.mean(widths)), 3),
    }
