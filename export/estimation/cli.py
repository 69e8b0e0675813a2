"""The command `estimate`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from cnn_keras.command import Command, Outcome
from cnn_keras.errors import Error, UsageError
from cnn_keras.options import ModelOptions, NetworkArgument

from ..recipes import RECIPES, select

if TYPE_CHECKING:
    from .estimate import NetworkProfile


@dataclass(frozen=True, kw_only=True)
class Estimate(ModelOptions, NetworkArgument, Command):
    """Estimate the latency of a network that was never run at a place.

    The profiles of other networks there (`benchmark --profile`) show how long their operations
    take. The interval is that of the errors when each of these networks is estimated from the
    others.
    """

    from_: Annotated[tuple[Path, ...], tyro.conf.arg(name="from")]
    """JSONL files of `benchmark --profile`."""
    recipes: tuple[str, ...] = ("float32", "static_wi8_ai8")
    """Recipes of the network's files."""
    image_size: int | None = None
    """Side of the input; by default that of the network's paper."""
    classes: int | None = None
    """Number of classes; by default that of the network's paper."""
    place: str | None = None
    """The place, as in a row; by default that of the last profile."""
    threads: int = 1
    """Number of threads."""

    def __call__(self) -> Outcome:
        from cnn_keras.tables import significant, table

        from ..benchmark.results_files import read_results
        from ..conversion.untrained import untrained_files
        from ..tflite.flatbuffer import parse
        from .estimate import estimate

        recipes = select(self.recipes)
        place, rows = _profiled([each.row for each in read_results(self.from_)[0]], self.place)
        rows = [row for row in rows if row["num_threads"] == self.threads]
        found = untrained_files(
            self.name, recipes, self.image_size, self.classes, self.model_options()
        )
        estimates: list[dict[str, Any]] = []
        for recipe, file in zip(recipes, found.files, strict=True):
            operations = _operations(parse(file.read_bytes()))
            profiles = _of_type(_network_profiles(rows), _kernel_dtype(operations))
            result = estimate(operations, profiles)
            estimates.append(
                {
                    "network": self.name,
                    "recipe": recipe.name,
                    "place": place,
                    "num_threads": self.threads,
                    "latency_ms": result.ms,
                    "interval": [result.low, result.high],
                    "networks": sorted({each.network for each in profiles}),
                    "unlike": list(result.unlike),
                }
            )
        lines = [
            f"{each['recipe']}: no profile has {', '.join(each['unlike'])}; the estimate of such "
            "operations is that of any operation."
            for each in estimates
            if each["unlike"]
        ]
        cells = [
            (
                each["recipe"],
                significant(each["latency_ms"]),
                " to ".join(map(significant, each["interval"])),
                ", ".join(each["networks"]),
            )
            for each in estimates
        ]
        title = f"{self.name} at {place}, {self.threads} threads: estimated latency in ms"
        columns = ("recipe", "latency", "interval", "from the profiles of")
        return Outcome({"estimates": estimates}, table(columns, cells, title, lines))


def _profiled(
    rows: Sequence[dict[str, Any]], place: str | None
) -> tuple[str, list[dict[str, Any]]]:
    """Return a place and its measurements that have a profile, of its latest machine.

    Raises:
        Error: There are none.
        UsageError: There is no such place.
    """
    from ..benchmark.results import of_latest_machine

    profiled = [row for row in rows if "profile" in row]
    if not profiled:
        raise Error("No measurement has a profile: measure with benchmark --profile.")
    chosen = place or profiled[-1]["place"]
    there = [row for row in profiled if row["place"] == chosen]
    if not there:
        places = ", ".join(sorted({row["place"] for row in profiled}))
        raise UsageError(f"No profile was measured at {chosen}; there are some of {places}.")
    return chosen, of_latest_machine(there)


def _network_profiles(rows: Sequence[dict[str, Any]]) -> list[NetworkProfile]:
    """Return the latest profile of each file, with its network."""
    from .estimate import NetworkProfile

    latest = {row["sha256"]: row for row in rows}
    return [NetworkProfile(network_of(row["file"]), row["profile"]) for row in latest.values()]


def network_of(file: str) -> str:
    """Return the network of an exported file, from its name.

    Example:
        >>> network_of("files/resnet20_fashion_mnist_static_wi8_ai8.tflite")
        'resnet20_fashion_mnist'
    """
    suffixes = "|".join(sorted(map(re.escape, RECIPES), key=len, reverse=True))
    return re.sub(rf"_({suffixes})(_u?int\d+)*$", "", Path(file).stem)


def _of_type(profiles: Sequence[NetworkProfile], kernel_dtype: str | None) -> list[NetworkProfile]:
    """Return the profiles of files that multiply by kernels of a type."""
    return [each for each in profiles if _kernel_dtype(each.profile["operations"]) == kernel_dtype]


def _kernel_dtype(operations: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the type of the kernels with most multiply-adds."""
    macs: dict[str | None, int] = {}
    for operation in operations:
        macs[operation["kernel_dtype"]] = macs.get(operation["kernel_dtype"], 0) + operation["macs"]
    return max(macs, key=macs.__getitem__)


def _operations(model: Any) -> list[dict[str, Any]]:
    from ..benchmark.profile.operators import operators

    return [operator._asdict() for operator in operators(model)]
