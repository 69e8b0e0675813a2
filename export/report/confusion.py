"""The confusion matrix as colored cells, and the most frequent errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

Matrix = Sequence[Sequence[int]]
"""Numbers of images by true class (rows) and predicted class (columns)."""


class Cell(NamedTuple):
    """One cell of the matrix.

    Attributes:
        images: Their number.
        kind: Right or wrong predictions, or no images; also the CSS class.
        share: Strength of the color, 0 to 1.
    """

    images: int
    kind: Literal["right", "wrong", "none"]
    share: float


def cells(matrix: Matrix) -> list[list[Cell]]:
    """Return the cells, row by row."""
    return [
        [_cell(count, sum(row), true == predicted) for predicted, count in enumerate(row)]
        for true, row in enumerate(matrix)
    ]


def _cell(count: int, total: int, right: bool) -> Cell:
    if not count:
        return Cell(0, "none", 0.0)
    # The square root makes one error in a hundred visible.
    return (
        Cell(count, "right", count / total)
        if right
        else Cell(count, "wrong", math.sqrt(count / total))
    )


def most_frequent(matrix: Matrix, names: Sequence[str], limit: int) -> list[str]:
    """Describe the most frequent errors, most frequent first.

    Args:
        matrix: Numbers of images.
        names: Names of the classes.
        limit: Number of errors to return at most.

    Example:
        >>> most_frequent([[8, 2], [0, 9]], ["cat", "dog"], 3)
        ['cat predicted as dog: 2 of 10']
    """
    errors = [
        (-count, true, predicted)
        for true, row in enumerate(matrix)
        for predicted, count in enumerate(row)
        if count and true != predicted
    ]
    return [
        f"{names[true]} predicted as {names[predicted]}: {-count:,} of {sum(matrix[true]):,}"
        for count, true, predicted in sorted(errors)[:limit]
    ]
