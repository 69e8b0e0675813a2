"""What a mix of types costs: the sum over its layers, corrected by the files that were tried.

The optimum of such a sum under limits is a small integer program, which HiGHS solves exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .layers import Layer, LayerType, Types

Vector = NDArray[np.float64]

_UNCERTAINTY = 0.3  # of the cost of a layer, before files are tried
_VIOLATION = 1e3  # what a limit that is exceeded by 100 % costs, in units of the objective


class AdditiveModel:
    """The cost of a file, as a constant and the cost of each type of each layer.

    It is a linear regression on the tried files, with the measured costs of single layers as the
    prior expectation.

    Args:
        layers: The layers.
        costs: Cost of each type of each layer.
        floor: Least uncertainty of a cost.
        noise: Standard deviation of a measured file, as a fraction.

    Reference:
        Bishop, "Pattern Recognition and Machine Learning", 2006, section 3.3.
    """

    def __init__(
        self,
        layers: Sequence[Layer],
        costs: Sequence[Mapping[LayerType, float]],
        floor: float,
        noise: float,
    ) -> None:
        self.choices = [(at, of) for at, layer in enumerate(layers) for of in layer.types]
        prior = np.array([costs[at][of] - costs[at]["int8"] for at, of in self.choices])
        known = np.array([of == "int8" for _, of in self.choices])  # part of the constant
        base = sum(each["int8"] for each in costs)
        self._mean: Vector = np.array([base, *prior])
        deviation = np.array([base, *np.where(known, 0.0, _UNCERTAINTY * np.abs(prior) + floor)])
        self._covariance: Vector = np.diag(deviation**2)
        self._noise = noise
        self._floor = floor

    @property
    def constant(self) -> float:
        """The cost of the file with all layers in int8."""
        return float(self._mean[0])

    @property
    def costs(self) -> Vector:
        """What each of `choices` costs beside int8."""
        return self._mean[1:]

    def predict(self, types: Types) -> float:
        """Return the expected cost of a mix."""
        return float(self._features(types) @ self._mean)

    def observe(self, types: Types, value: float) -> None:
        """Correct the costs by a measured file."""
        features = self._features(types)
        projected = self._covariance @ features
        variance = features @ projected + (self._noise * value) ** 2 + self._floor**2
        gain = projected / variance
        self._mean = self._mean + gain * (value - features @ self._mean)
        self._covariance = self._covariance - np.outer(gain, projected)

    def _features(self, types: Types) -> Vector:
        return np.array([1.0, *(types[at] == of for at, of in self.choices)])


class Cap(NamedTuple):
    """A limit of what a mix may cost.

    Attributes:
        model: The cost.
        most: The limit.
    """

    model: AdditiveModel
    most: float


def propose(
    objective: AdditiveModel, caps: Sequence[Cap], tried: Iterable[Types], reach: bool = False
) -> Types | None:
    """Return the mix of the least cost within limits that was not tried, or None if there is none.

    Args:
        objective: The cost.
        caps: The limits.
        tried: Mixes that are left out.
        reach: Whether the limits may be exceeded; then by as little as possible.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    choices = objective.choices
    num_layers, count = choices[-1][0] + 1, len(choices)
    num_slacks = len(caps) if reach else 0
    size = count + num_slacks

    def row(values: NDArray[np.float64]) -> Vector:
        return np.concatenate([values, np.zeros(num_slacks)])

    constraints = []
    for layer in range(num_layers):
        one = row(np.array([float(at == layer) for at, _ in choices]))
        constraints.append(LinearConstraint(one, 1, 1))
    for types in (*tried, ("float32",) * num_layers):
        same = row(np.array([float(types[at] == of) for at, of in choices]))
        constraints.append(LinearConstraint(same, -np.inf, num_layers - 1))
    for index, cap in enumerate(caps):
        scale = max(abs(cap.most), 1e-9)
        values = row(cap.model.costs / scale)
        if reach:
            values[count + index] = -1.0
        constraints.append(
            LinearConstraint(values, -np.inf, (cap.most - cap.model.constant) / scale)
        )
    unit = max(float(np.abs(objective.costs).max()), 1e-12)
    weights = np.concatenate([objective.costs / unit, np.full(num_slacks, _VIOLATION)])
    upper = np.concatenate([np.ones(count), np.full(num_slacks, np.inf)])
    integrality = np.concatenate([np.ones(count), np.zeros(num_slacks)])
    solution = milp(
        weights,
        integrality=integrality,
        bounds=Bounds(np.zeros(size), upper),
        constraints=constraints,
    )
    if solution.x is None:
        return None
    chosen = [choice for choice, value in zip(choices, solution.x, strict=False) if value > 0.5]
    return tuple(of for _, of in chosen)
