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
        figure=_figure(errors, measured),
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


def _figure(errors: Errors, measured: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw estimated against measured latencies."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 5), layout="constrained")
    axes = figure.subplots()
    for recipe, by_network in errors.items():
        actual = [measured[recipe][network] for network in by_network]
        estimated = [measured[recipe][network] / ratio for network, ratio in by_network.items()]
        axes.scatter(actual, estimated, label=recipe)
        for network, x, y in zip(by_network, actual, estimated, strict=True):
            axes.annotate(
                network, (x, y), fontsize="small", xytext=(4, -8), textcoords="offset points"
            )
    ends = np.array(axes.get_xlim())
    axes.plot(ends, ends, color="0.7", zorder=0)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("measured latency, ms")
    axes.set_ylabel("estimated from the other networks, ms")
    axes.legend(fontsize="small")
    return figure
