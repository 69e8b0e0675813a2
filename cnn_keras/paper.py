"""Figures that a paper prints about the rows of a network."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A number as a paper prints it."""

    text: str
    value: float
    step: float = 0  # largest difference that rounding explains

    def agrees(self, counted: float) -> bool:
        """Return whether the paper may have printed a counted number as this figure."""
        return abs(counted - self.value) <= self.step


def exactly(number: int) -> Figure:
    """Return a figure that is printed in full.

    Example:
        >>> exactly(253_440)
        Figure(text='253,440', value=253440, step=0)
    """
    return Figure(f"{number:,}", number)


def millions(number: float, step: float = 1) -> Figure:
    """Return a figure in millions, rounded or truncated to a multiple of `step` millions.

    Example:
        >>> millions(60).agrees(60_965_224)
        True
    """
    return Figure(f"{number}M", number * 1e6, step * 1e6)


class Printed(NamedTuple):
    """Figures that a paper prints about a row, or about the whole network.

    Every family has a function `printed`, which returns them by row for the options of a network,
    with `"total"` for the network. It returns nothing for options that are not in the paper.

    Attributes:
        output_shape: `(height, width, channels)` or `(features,)`.
        parameters: Weights.
        macs: Multiply-adds.
        neurons: Outputs of convolutions and dense layers.
        connections: Sum of the inputs of all units, including biases.
        contradiction: Why a figure cannot be right, if the paper contradicts itself.
    """

    output_shape: tuple[int, ...] | None = None
    parameters: Figure | None = None
    macs: Figure | None = None
    neurons: Figure | None = None
    connections: Figure | None = None
    contradiction: str = ""
