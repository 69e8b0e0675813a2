"""The search for the best file: the recipes first, then the mixes that promise most."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from ..recipes import Recipe, recipe
from .additive_model import AdditiveModel, Cap, propose
from .layers import STATIC, Layer, LayerType, Types, uniform
from .rule import TOLERANCE, Limits, Quantity, Tried, best_in, equal

PATIENCE = 4
"""Files in a row that are no improvement before the search goes on to the next quantity."""

_FLOAT = recipe("float32")


class Source(Protocol):
    """Where the search gets tried files from."""

    def try_recipe(self, row: Recipe) -> Tried:
        """Return the file of a recipe that stores all layers alike."""

    def try_types(self, types: Types) -> Tried:
        """Return the static integer file whose layers have these types."""


class LayerCosts(NamedTuple):
    """What each type of each layer costs, one mapping a layer.

    Attributes:
        divergence: See `sensitivity`.
        ms: Latency.
    """

    divergence: Sequence[Mapping[LayerType, float]]
    ms: Sequence[Mapping[LayerType, float]]


class Search:
    """Finds the best file of a network within limits.

    Args:
        source: Makes, checks and times the files.
        layers: The layers of the network.
        limits: The limits.
        max_files: Number of files to try at most, four or more.
        report: Called with each file that is tried.

    Attributes:
        files: The files that were tried, in order.
        costs: What the types of the layers cost; None before they are measured.
    """

    def __init__(
        self,
        source: Source,
        layers: Sequence[Layer],
        limits: Limits,
        max_files: int,
        report: Callable[[Tried], None] = lambda file: None,
    ) -> None:
        self.files: list[Tried] = []
        self.costs: LayerCosts | None = None
        self._source = source
        self._layers = layers
        self._limits = limits
        self._max_files = max_files
        self._report = report
        self._models: dict[Quantity, AdditiveModel] = {}

    def run(
        self,
        recipes: Sequence[Recipe],
        measure_costs: Callable[[Mapping[LayerType, Tried]], LayerCosts],
    ) -> None:
        """Try recipes, then mixes.

        Args:
            recipes: Recipes that store all layers alike.
            measure_costs: Returns what the types of the layers cost, from the files that have the
                same type in all layers that can have it.
        """
        layers = self._layers
        pure: dict[LayerType, Tried] = {
            "float32": self._keep(self._source.try_recipe(_FLOAT)),
            "int8": self._try_types(uniform(layers, "int8")),
        }
        for row in recipes:
            if row not in (_FLOAT, STATIC):
                self._keep(self._source.try_recipe(row))
        if pure["float32"].size_bytes is None or pure["int8"].size_bytes is None:
            return
        if "int4" in (smallest := uniform(layers, "int4")):
            pure["int4"] = self._try_types(smallest)
        self.costs = measure_costs(pure)
        self._set_models(self.costs)
        self._observe(uniform(layers, "float32"), pure["float32"])
        for file in self.files:
            if file.types:
                self._observe(file.types, file)
        self._reach_limits()
        for index in range(len(self._limits.order)) if self._within() else ():
            self._improve(index)

    def _set_models(self, costs: LayerCosts) -> None:
        count = len(self._layers)
        sizes = [
            {of: layer.kernel_bytes(of) / 1000 for of in layer.types} for layer in self._layers
        ]
        divergence = float(np.mean([max(each.values()) for each in costs.divergence]))
        ms = sum(each["int8"] for each in costs.ms) / count
        self._models = {
            "accuracy": AdditiveModel(self._layers, costs.divergence, 0.05 * divergence, 0.05),
            "latency": AdditiveModel(self._layers, costs.ms, 0.05 * ms, 0.02),
            "size": AdditiveModel(self._layers, sizes, 0.05, 0.0),
        }

    def _reach_limits(self) -> None:
        """Try mixes until one keeps all limits."""
        misses = 0
        while not self._within() and self._may_go_on(misses):
            types = propose(self._models[self._limits.order[0]], self._caps(0), self._mixes(), True)
            if types is None:
                return
            nearest = min(map(self._violation, self.files))
            misses = 0 if self._violation(self._try_types(types)) < nearest else misses + 1

    def _improve(self, index: int) -> None:
        """Try mixes that are better in a quantity, and as good in those before it."""
        quantity = self._limits.order[index]
        model, misses = self._models[quantity], 0
        while self._may_go_on(misses):
            types = propose(model, self._caps(index), self._mixes())
            least = self._least(index)
            margin = TOLERANCE.get(quantity, 0.0) / 2
            if types is None or model.predict(types) >= least * (1 - margin):
                return
            file = self._try_types(types)
            improved = file in self._equal_before(index) and self._least(index) < least
            misses = 0 if improved else misses + 1

    def _caps(self, index: int) -> list[Cap]:
        """Return the limits of a mix that is as good as the best in the first quantities."""
        before = self._limits.order[:index]
        caps = []
        for quantity in ("latency", "size"):
            most = self._limits.of(quantity)
            if quantity in before:
                equal_to_best = self._least(before.index(quantity)) * (1 + TOLERANCE[quantity])
                most = equal_to_best if most is None else min(most, equal_to_best)
            if most is not None:
                caps.append(Cap(self._models[quantity], most))
        most = self._most_divergence(index)
        if most is not None:
            caps.append(Cap(self._models["accuracy"], most))
        return caps

    def _most_divergence(self, index: int) -> float | None:
        """Return the divergence up to which a mix may still be accurate enough; None for any.

        The limit of the accuracy lies between the files that are accurate enough and those that
        are not; the geometric mean is tried next.
        """
        before = self._limits.order[:index]
        if self._limits.max_drop is None and "accuracy" not in before:
            return None
        pool = self._equal_before(before.index("accuracy")) if "accuracy" in before else []
        most_accurate = min(pool, key=lambda file: file.value("accuracy"), default=None)
        enough, too_much = [0.0], []
        for file in self.files:
            if file.types is None or file.divergence is None:
                continue
            if (
                file.reasons
                or "accuracy" in self._limits.excess(file)
                or (most_accurate and not equal(file, most_accurate, "accuracy"))
            ):
                too_much.append(file.divergence)
            else:
                enough.append(file.divergence)
        if not too_much:
            return None
        low, high = max(enough), min(too_much)
        if not low:
            return high / 2
        return math.sqrt(low * high) if low < high else low

    def _least(self, index: int) -> float:
        """Return the least value of a quantity of the files that are best in those before it.

        That of the accuracy is the divergence, which the model adds up.
        """
        quantity = self._limits.order[index]
        files = self._equal_before(index)
        if quantity == "accuracy":
            return min(file.divergence or 0.0 for file in files)
        return min(file.value(quantity) for file in files)

    def _equal_before(self, index: int) -> list[Tried]:
        """Return the files within the limits that are best in the quantities before one."""
        return best_in(self._within(), self._limits.order[:index])

    def _within(self) -> list[Tried]:
        return self._limits.within(self.files)

    def _violation(self, file: Tried) -> float:
        """Return by how much a file exceeds the limits, as the sum of fractions of them."""
        if not file.usable:
            return math.inf
        excess = self._limits.excess(file)
        return sum(value / max(self._limits.of(each) or 0, 1e-9) for each, value in excess.items())

    def _may_go_on(self, misses: int) -> bool:
        return misses < PATIENCE and len(self.files) < self._max_files

    def _mixes(self) -> list[Types]:
        return [file.types for file in self.files if file.types]

    def _try_types(self, types: Types) -> Tried:
        file = self._keep(self._source.try_types(types))
        if self._models:
            self._observe(types, file)
        return file

    def _keep(self, file: Tried) -> Tried:
        self.files.append(file)
        self._report(file)
        return file

    def _observe(self, types: Types, file: Tried) -> None:
        """Correct the models by a file."""
        if file.divergence is not None:
            self._models["accuracy"].observe(types, file.divergence)
        if file.size_bytes is not None:
            self._models["size"].observe(types, file.size_bytes / 1000)
        if file.latencies_ms:
            self._models["latency"].observe(types, file.value("latency"))
