"""How the training images fill their frame, so that a drawing pad can draw like them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

INK = 128  # a pixel from here on is ink; half of white


def drawing(images: NDArray[np.uint8]) -> dict[str, float] | None:
    """Measure the ink of gray images, light on dark.

    The width of a stroke follows from how far its pixels lie from its edge: over a band of width w
    the distances run from 0 to w / 2 and back, and their mean is w / 4 (less at the band's ends).

    Args:
        images: Pixels `(n, height, width, channels)`.

    Returns:
        ``extent``, the longer side of the box around the ink, and ``stroke_width``, both as parts
        of the frame's height, mean over the images that have ink; None for color or no ink.

    Example:
        >>> image = np.zeros((1, 40, 40, 1), np.uint8)
        >>> image[:, 4:36, 16:24] = 255
        >>> drawing(image)
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
        # Distances are between centers of pixels, and edges lie half a pixel before the next one.
        distances = distance_transform_edt(np.pad(ink, 1))[1:-1, 1:-1][ink] - 0.5
        extents.append(max(sides) / height)
        widths.append(4 * distances.mean() / height)
    if not extents:
        return None
    return {
        "extent": round(float(np.mean(extents)), 3),
        "stroke_width": round(float(np.mean(widths)), 3),
    }
