"""Figures as a paper prints them about the rows of a network."""

from __future__ import annotations

from typing import NamedTuple


class Figure(NamedTuple):
    """A number as a paper prints it."""

    text: str
    value: float
    step: float = 0  # what its rounding allows: by default nothing

    def agrees(self, counted: float) -> bool:
        """Return whether a number that was counted may have been printed so."""
        return abs(counted - self.value) <= self.step


def exactly(number: int) -> Figure:
    """Return a number that is printed in full.

    Example:
        >>> exactly(253_440)
        Figure(text='253,440', value=253440, step=0)
    """
    return Figure(f"{number:,}", number)


def millions(number: float, step: float = 1) -> Figure:
    """Return a number of millions, rounded or cut to multiples of `step` millions.

    Example:
        >>> millions(60).agrees(60_965_224)
        True
    """
    return Figure(f"{number}M", number * 1e6, step * 1e6)


class Printed(NamedTuple):
    """What a paper prints about one of its rows, or about all of them together.

    Every family has a function `printed` from its options to such rows by name, with `"total"`
    for the network. It is empty where the options leave the paper.

    Attributes:
        output_shape: `(height, width, channels)` or `(features,)`.
        parameters: Weights.
        macs: Multiply-adds.
        neurons: Outputs of convolutions and dense layers.
        connections: Inputs of all units together, the bias of each included.
        contradiction: Why a figure cannot be right, where the paper contradicts itself.
    """

    output_shape: tuple[int, ...] | None = None
    parameters: Figure | None = None
    macs: Figure | None = None
    neurons: Figure | None = None
    connections: Figure | None = None
    contradiction: str = ""
