"""Which file is the best within limits.

The best file is the best one in the first of accuracy, latency and size that has no limit; in
accuracy, if all have one. Of files that are equal in that, to within the noise, the other two
decide, in this order. Equal are files whose accuracies differ by no more than chance explains, and
files whose latencies or sizes differ by less than `TOLERANCE`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cnn_keras.training.evaluate import SIGNIFICANCE

from ..verification.refusal import p_value
from .layers import Types

Quantity = Literal["accuracy", "latency", "size"]

QUANTITIES: tuple[Quantity, ...] = ("accuracy", "latency", "size")

TOLERANCE: Mapping[Quantity, float] = {"latency": 0.05, "size": 0.01}
"""Ratios to the least latency or size up to which others are equal to it. Processes of one file
differ by some percent, see `benchmark.comparison.rounds`."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Tried:
    """A file that was made, checked and timed.

    Attributes:
        name: Its recipe, or the mix.
        types: The type of each layer of a static integer file; None for another recipe.
        reasons: Why it is refused, one line each; empty if it is accepted.
        size_bytes: Its size with metadata; None if it cannot be made, and likewise below.
        sha256: Its hash.
        drop_points: Accuracy that it loses on the held-out images, in percentage points; without
            labels, the share of images that it predicts otherwise than the Keras model.
        divergence: See `sensitivity.divergence`.
        correct: Whether it predicts each image correctly `(n,)`; without labels, as the model does.
        delegated: Operations that XNNPACK runs, of all operations, and the number of partitions.
        latencies_ms: Median latencies of the processes that have run it.
    """

    name: str
    types: Types | None = None
    reasons: tuple[str, ...] = ()
    size_bytes: int | None = None
    sha256: str | None = None
    drop_points: float | None = None
    divergence: float | None = None
    correct: NDArray[np.bool_] | None = None
    delegated: tuple[int, int, int] | None = None
    latencies_ms: tuple[float, ...] = ()

    @property
    def is_recipe(self) -> bool:
        """Whether it is of a recipe that stores all layers alike, as opposed to a mix."""
        return self.types is None or set(self.types) == {"int8"}

    @property
    def usable(self) -> bool:
        """Whether it is accepted, and was timed."""
        return not self.reasons and bool(self.latencies_ms)

    def value(self, quantity: Quantity) -> float:
        """Return the drop in points, the latency in ms or the size in kB; the less the better."""
        if quantity == "latency":
            return float(np.median(self.latencies_ms))
        value = self.drop_points if quantity == "accuracy" else (self.size_bytes or 0) / 1000
        assert value is not None, "an accepted file has been measured"
        return value


@dataclass(frozen=True)
class Limits:
    """What a file may take; None for no limit.

    Attributes:
        max_ms: Latency.
        max_kb: Size in kB, of 1000 bytes.
        max_drop: Drop in accuracy, in percentage points.
    """

    max_ms: float | None = None
    max_kb: float | None = None
    max_drop: float | None = None

    def of(self, quantity: Quantity) -> float | None:
        """Return the limit of a quantity."""
        return {"accuracy": self.max_drop, "latency": self.max_ms, "size": self.max_kb}[quantity]

    def excess(self, file: Tried) -> dict[Quantity, float]:
        """Return by how much a usable file exceeds limits, for those that it exceeds."""
        limits = {each: limit for each in QUANTITIES if (limit := self.of(each)) is not None}
        found = {each: file.value(each) - limit for each, limit in limits.items()}
        return {each: value for each, value in found.items() if value > 0}

    @property
    def order(self) -> tuple[Quantity, ...]:
        """What decides, in this order."""
        first = next((each for each in QUANTITIES if self.of(each) is None), QUANTITIES[0])
        return first, *(each for each in QUANTITIES if each != first)

    def within(self, files: Sequence[Tried]) -> list[Tried]:
        """Return the usable files that keep all limits."""
        return [file for file in files if file.usable and not self.excess(file)]


def best(files: Sequence[Tried], limits: Limits) -> Tried | None:
    """Return the best file within the limits, or None if no file keeps them."""
    left = best_in(limits.within(files), limits.order)
    return (
        min(left, key=lambda file: tuple(map(file.value, reversed(limits.order)))) if left else None
    )


def best_in(files: Sequence[Tried], quantities: Sequence[Quantity]) -> list[Tried]:
    """Return the files that are equal to the best in one quantity after the other."""
    left = list(files)
    for quantity in quantities if left else ():
        least = min(left, key=lambda file: (file.value(quantity), file.divergence))
        left = [file for file in left if equal(file, least, quantity)]
    return left


def equal(file: Tried, least: Tried, quantity: Quantity) -> bool:
    """Return whether a file is as good in a quantity as the one with the least value."""
    if quantity != "accuracy":
        return file.value(quantity) <= least.value(quantity) * (1 + TOLERANCE[quantity])
    assert file.correct is not None, "it has been run"
    assert least.correct is not None, "it has been run"
    lost = int((least.correct & ~file.correct).sum())
    gained = int((file.correct & ~least.correct).sum())
    return lost <= gained or p_value(lost, lost + gained, 0.5) >= SIGNIFICANCE


def to_json(file: Tried) -> dict[str, Any]:
    """Return a tried file as JSON types."""
    correct = None if file.correct is None else np.packbits(file.correct).tobytes().hex()
    return {**file.__dict__, "correct": correct}


def from_json(row: Mapping[str, Any], num_images: int) -> Tried:
    """Return the tried file of a JSON document."""
    bits = row["correct"]
    correct = None
    if bits is not None:
        packed = np.frombuffer(bytes.fromhex(bits), np.uint8)
        correct = np.unpackbits(packed, count=num_images).astype(bool)
    tuples = {
        key: tuple(row[key]) if row[key] is not None else None
        for key in ("types", "reasons", "delegated", "latencies_ms")
    }
    return Tried(**{**row, **tuples, "correct": correct})
