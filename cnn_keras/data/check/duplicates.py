"""Exact duplicates by a hash of the pixels, near duplicates by the correlation of thumbnails."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..preprocessing import UInt8Images

SIDE = 16  # of a thumbnail

# Of 120 crops of photographs and their copies in another file format (JPEG of quality 50 to 90,
# WebP, GIF), of half the size, with less contrast or in gray, 95 % correlate by 0.9998 or more and
# all by 0.9979; without 2 % of each border, half of them do not reach 0.9961. Of the 2.4 billion
# pairs in Fashion-MNIST, 105 correlate by 0.998, and about 20 of them show different objects. A
# difference hash of 128 bits separates less there: within 2 bits it finds 3,933 pairs among 20,000
# of the images.
SIMILARITY = 0.998

# Standard deviation of the thumbnail, in gray levels. Below 10, the rounding of the pixels hides
# many copies; below 4, it decides the correlation of any two images.
MIN_CONTRAST = 4.0

_ROWS, _COLUMNS = 1024, 8192  # images that are compared at once: 32 MB of correlations


def exact_groups(digests: NDArray[np.uint64]) -> list[list[int]]:
    """Return the indices of the images that have the same digest, by first index.

    Example:
        >>> exact_groups(np.array([7, 5, 7, 1], np.uint64))
        [[0, 2]]
    """
    order = np.argsort(digests, kind="stable")
    starts = np.flatnonzero(np.diff(digests[order])) + 1
    return sorted(group.tolist() for group in np.split(order, starts) if len(group) > 1)


def near_groups(
    thumbnails: UInt8Images, digests: NDArray[np.uint64], similarity: float = SIMILARITY
) -> list[list[int]]:
    """Return the indices of the images that look the same, but are not all exact duplicates.

    Two images look the same if their thumbnails correlate. A group has all images that are
    connected by such pairs. Images of a single gray level are left out.

    Args:
        thumbnails: Gray thumbnails `(n, SIDE, SIDE)`.
        digests: Hashes of the pixels `(n,)`; exact duplicates are compared once.
        similarity: The least correlation, below 1.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if len(digests) < 2:
        return []
    _, first, copy_of = np.unique(digests, return_index=True, return_inverse=True)
    pairs = _similar_pairs(thumbnails[first], similarity)
    if not len(pairs):
        return []
    graph = coo_array((np.ones(len(pairs), bool), tuple(pairs.T)), shape=(len(first),) * 2)
    _, component = connected_components(graph, directed=False)
    sizes = np.bincount(component)
    groups: dict[int, list[int]] = {}
    for index in np.flatnonzero(sizes[component[copy_of]] > 1).tolist():
        groups.setdefault(int(component[copy_of[index]]), []).append(index)
    return sorted(groups.values())


def _similar_pairs(thumbnails: UInt8Images, similarity: float) -> NDArray[np.int64]:
    """Return the pairs `(m, 2)` of indices whose thumbnails correlate.

    Normalized thumbnails are points on a sphere, and a correlation is a distance. Sorted by their
    coordinate along the axis on which they differ most, each is compared only with those within
    that distance.
    """
    points = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    points -= points.mean(1, keepdims=True)
    norms = np.linalg.norm(points, axis=1)
    chosen = np.flatnonzero(norms >= MIN_CONTRAST * SIDE)
    points = points[chosen] / norms[chosen, None]
    axis = np.linalg.eigh(points.T @ points)[1][:, -1]
    coordinates = points @ axis
    order = np.argsort(coordinates, kind="stable")
    points, coordinates, chosen = points[order], coordinates[order], chosen[order]
    reach = np.sqrt(2 - 2 * similarity) + 1e-5  # for the rounding of float32
    found = [np.empty((0, 2), np.int64)]
    for start in range(0, len(points), _ROWS):
        rows = points[start : start + _ROWS]
        limit = coordinates[start + len(rows) - 1] + reach
        stop = int(np.searchsorted(coordinates, limit, "right"))
        for column in range(start, stop, _COLUMNS):
            correlations: NDArray[Any] = rows @ points[column : min(column + _COLUMNS, stop)].T
            left, right = np.nonzero(correlations >= similarity)
            pairs = np.stack([left + start, right + column], axis=1)
            found.append(chosen[pairs[pairs[:, 0] < pairs[:, 1]]])
    return np.concatenate(found)
