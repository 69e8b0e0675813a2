"""Estimate the latency of an operation from the profiles of other networks.

An operation takes longer than the roofline, which is known from its multiply-adds and bytes: by
how much depends on its shapes. An operation that is to be estimated is as far from the roofline as
the operations of the same kind with the most similar shapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..benchmark.profile.results import bound_ms

NEIGHBORS = 4
_FLOOR = 0.02  # added to squared distances: operations of the same shapes count alike


class Machine(NamedTuple):
    """What the machine of a profile can do; see `profile.results.document`."""

    peak_gmac_s: dict[str, float]
    bandwidth_gb_s: dict[str, float]


class Estimate(NamedTuple):
    """The estimated latency of an operation.

    Attributes:
        ms: The latency, without a call.
        distance: Distance to the most similar operation; infinite if there is none of its kind.
    """

    ms: float
    distance: float


class OperationModel:
    """The operations of some profiles, by kind.

    Args:
        profiles: Profiles of one place, with the same number of threads.

    Example:
        model = OperationModel([row["profile"] for row in rows])
        model.estimate(operation).ms
    """

    def __init__(self, profiles: Sequence[Mapping[str, Any]]) -> None:
        self.machine = Machine(
            _medians([profile["peak_gmac_s"] for profile in profiles]),
            _medians([profile["bandwidth_gb_s"] for profile in profiles]),
        )
        kinds: dict[tuple[str, str | None], list[Mapping[str, Any]]] = {}
        for profile in profiles:
            for row in profile["operations"]:
                if row["ms"] > 0:
                    kinds.setdefault(_kind(row), []).append(row)
        self._shapes = {
            kind: np.array([_features(row) for row in rows]) for kind, rows in kinds.items()
        }
        self._slowdowns = {
            kind: np.log([row["ms"] / self.bound_ms(row) for row in rows])
            for kind, rows in kinds.items()
        }

    def bound_ms(self, operation: Mapping[str, Any]) -> float:
        """Return the roofline of an operation on the machine of the profiles."""
        bound = bound_ms(
            operation["macs"], operation["num_bytes"], operation["kernel_dtype"], *self.machine
        )
        return max(bound, 1e-9)

    def estimate(self, operation: Mapping[str, Any]) -> Estimate:
        """Estimate the latency of an operation.

        Args:
            operation: Its ``op``, ``dtype``, ``kernel_dtype``, ``macs``, ``num_bytes``,
                ``input_shapes`` and ``output_shape``, as in a profile.
        """
        kind = _kind(operation)
        if kind not in self._shapes:
            everything = np.concatenate([*self._slowdowns.values()])
            slowdown = float(np.median(everything))
            return Estimate(self.bound_ms(operation) * math.exp(slowdown), math.inf)
        squares = np.square(self._shapes[kind] - _features(operation)).sum(axis=1)
        nearest = np.argsort(squares, kind="stable")[:NEIGHBORS]
        weights = 1 / (squares[nearest] + _FLOOR)
        slowdown = float(np.average(self._slowdowns[kind][nearest], weights=weights))
        return Estimate(
            self.bound_ms(operation) * math.exp(slowdown), float(math.sqrt(squares[nearest[0]]))
        )


def _kind(operation: Mapping[str, Any]) -> tuple[str, str | None]:
    """Return what operations must share to be compared."""
    return operation["op"], operation["kernel_dtype"] or operation["dtype"]


def _features(operation: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return the logarithms of the sizes that the speed of an operation depends on."""
    output = operation["output_shape"]
    shapes = [shape for shape in operation["input_shapes"] if len(shape)]
    image = shapes[0] if shapes else output
    kernel = shapes[1] if operation["macs"] and len(shapes) > 1 else ()
    window = math.prod(kernel[1:3]) if len(kernel) == 4 else 1
    stride = math.prod(image[1:3]) / max(math.prod(output[1:3]), 1) if len(output) == 4 else 1
    sizes = (
        math.prod(output[1:-1]) or 1,  # positions
        output[-1] if output else 1,  # channels out
        image[-1] if image else 1,  # channels in
        window,
        max(stride, 0.25),
    )
    return np.log(np.maximum(sizes, 1e-3))


def _medians(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {key: float(np.median([table[key] for table in tables])) for key in tables[0]}
