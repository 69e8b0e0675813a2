"""Test how far off the estimated latency of a network is, from the profiles of other networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.machine import host

from ..estimation.estimate import NetworkProfile, leave_one_out
from ..estimation.zoo_profiles import ZooProfile, profile_networks
from ..recipes import select

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("resnet18", "resnet34", "googlenet", "vgg11", "alexnet", "nin")
RECIPES = ("float32", "static_wi8_ai8")
MAX_MEDIAN_ERROR, MAX_ERROR = 0.10, 0.25

Errors = Mapping[str, Mapping[str, float]]
"""Measured over estimated latency by recipe and network."""


def estimation(
    out: Path,
    *,
    networks: Sequence[str] = NETWORKS,
    image_size: int | None = None,
    secs: float = 10.0,
) -> dict[str, Any]:
    """Profile networks, estimate each from the others, and record how far off it is.

    Args:
        out: Folder of the record and its figure.
        networks: Three rows of the zoo or more.
        image_size: Side of the input; None for those of the papers.
        secs: Seconds of timed rounds of each file.

    Returns:
        The record.
    """
    profiles, failed = profile_networks(networks, select(RECIPES), secs, image_size)
    errors = {recipe: _errors(profiles, recipe) for recipe in RECIPES}
    measured = {
        recipe: {p.network: p.row["profile"]["whole_ms"] for p in profiles if p.recipe == recipe}
        for recipe in RECIPES
    }
    return write_record(
        out / "estimation.json",
        "benchmark",
        "estimation",
        claims(errors),
        seeds=[0],
        budget={"secs": secs, "image_size": image_size, "threads": 1},
        details={
            "host": host()._asdict(),
            "weights": "random",
            "measured_ms": measured,
            "measured_over_estimated": errors,
        },
        figure=_figure(errors),
        failed=failed,
    )


def _errors(profiles: Sequence[ZooProfile], recipe: str) -> dict[str, float]:
    """Estimate each network from the others; return its measured over its estimated latency."""
    of_recipe = [
        NetworkProfile(each.network, each.row["profile"])
        for each in profiles
        if each.recipe == recipe
    ]
    return {network: errors[0] for network, errors in leave_one_out(of_recipe).items()}


def claims(errors: Errors) -> list[Claim]:
    """Return the claims about the median and the largest error of each recipe."""
    found = []
    for recipe, by_network in errors.items():
        off = [abs(1 / ratio - 1) for ratio in by_network.values()]
        for name, value, limit in (
            ("median", float(np.median(off)), MAX_MEDIAN_ERROR),
            ("largest", max(off), MAX_ERROR),
        ):
            found.append(
                Claim(
                    f"the {name} error of the estimates in {recipe} is below {limit:.0%}",
                    value < limit,
                    value,
                )
            )
    return found


def _figure(errors: Errors) -> Figure:
    """Draw how far off the estimate of each network is."""
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(name for found in errors.values() for name in found))
    figure = Figure(figsize=(7, 1.5 + 0.45 * len(networks)), layout="constrained")
    axes = figure.subplots()
    for limit, color in ((MAX_ERROR, "0.93"), (MAX_MEDIAN_ERROR, "0.86")):
        axes.axvspan(1 - limit, 1 + limit, color=color, zorder=0)
    height = 0.8 / len(errors)
    for index, (recipe, found) in enumerate(errors.items()):
        positions = np.array([networks.index(name) for name in found])
        offset = (index - (len(errors) - 1) / 2) * height
        off = [1 / ratio - 1 for ratio in found.values()]
        axes.barh(positions + offset, off, height, left=1, label=recipe)
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(range(len(networks)), networks)
    axes.invert_yaxis()
    axes.set_xlabel("latency estimated from the other networks, relative to the measured one")
    figure.legend(loc="outside upper center", ncols=len(errors), fontsize="small", frameon=False)
    return figure
