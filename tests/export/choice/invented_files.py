"""A network of four layers whose files have invented costs, so that all its mixes can be tried."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import numpy as np

from export.choice.layers import Layer, LayerType, Types, combinations, uniform
from export.choice.rule import Tried
from export.choice.search import LayerCosts
from export.recipes import Recipe

NUM_IMAGES = 2000
KERNELS = (1_000, 20_000, 60_000, 5_000)


def layer(name: str, values: int = 100, int4: bool = True) -> Layer:
    types: tuple[LayerType, ...] = ("int8", "int4", "float32") if int4 else ("int8", "float32")
    return Layer(name, f"net_1/{name}_1/add", (f"net_1/{name}_1/add",), types, values)


class InventedFiles:
    """Files whose costs are sums over the layers, and a little more where two types meet.

    Args:
        seed: Seed of the costs.
    """

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.layers = [layer(f"conv{index}", values) for index, values in enumerate(KERNELS)]
        self.asked: list[str] = []
        self._ms = [
            {"int8": ms, "int4": ms * random.choice([0.95, 4.0]), "float32": 3 * ms}
            for ms in random.uniform(0.1, 1.0, len(KERNELS))
        ]
        self._divergence = [
            {"int8": lost, "int4": lost * random.uniform(5, 50), "float32": 0.0}
            for lost in random.uniform(1e-4, 1e-2, len(KERNELS))
        ]

    def try_recipe(self, row: Recipe) -> Tried:
        return self._file(row.name, uniform(self.layers, "float32"), None)

    def try_types(self, types: Types) -> Tried:
        return self._file("-".join(types), types, types)

    def all_files(self) -> list[Tried]:
        return [self.try_types(types) for types in combinations(self.layers)]

    def costs(self, pure: Mapping[LayerType, Tried]) -> LayerCosts:
        assert set(pure) == {"float32", "int8", "int4"}
        return LayerCosts(self._divergence, self._ms)

    def _file(self, name: str, types: Types, stored: Types | None) -> Tried:
        self.asked.append(name)
        pairs = list(enumerate(types))
        ms = sum(self._ms[at][of] for at, of in pairs)
        ms += 0.05 * sum(one != other for one, other in itertools.pairwise(types))
        divergence = sum(self._divergence[at][of] for at, of in pairs)
        kilobytes = sum(self.layers[at].kernel_bytes(of) for at, of in pairs) / 1000 + 3
        wrong = round(divergence * NUM_IMAGES / 10)
        return Tried(
            name=name,
            types=stored,
            size_bytes=round(1000 * kilobytes),
            drop_points=100 * wrong / NUM_IMAGES,
            divergence=divergence,
            correct=np.arange(NUM_IMAGES) >= wrong,
            latencies_ms=(ms,),
        )
