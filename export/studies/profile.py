"""Test how far the latencies of single operations explain the latency of a whole file."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cnn_keras import zoo
from cnn_keras.experiments.record import Claim, write_record
from cnn_keras.inspection import anatomy
from cnn_keras.machine import host

from ..benchmark.measurements import MeasurementOptions, measure_files
from ..benchmark.profile.results import grouped
from ..conversion.convert import convert
from ..estimation.zoo_profiles import ZooProfile, profile_networks
from ..recipes import select

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = ("lenet5", "resnet20", "googlenet", "resnet50", "alexnet")
RECIPES = ("float32", "static_wi8_ai8")
MAX_DIFFERENCE = 0.15  # of the sum of the operations from the whole file
WIDENED = "conv3"  # the convolution of `widened_file` with four times the channels


def profile(
    out: Path,
    *,
    networks: Sequence[str] = NETWORKS,
    image_size: int | None = None,
    secs: float = 10.0,
) -> dict[str, Any]:
    """Profile networks at the size of their papers, and compare the sums with the whole files.

    Args:
        out: Folder of the record and its figure.
        networks: Rows of the zoo.
        image_size: Side of the input; None for those of the papers.
        secs: Seconds of timed rounds of each file.

    Returns:
        The record.
    """
    profiles, failed = profile_networks(networks, select(RECIPES), secs, image_size)
    differing = {
        name: differing_rows(name, [each for each in profiles if each.network == name])
        for name in dict.fromkeys(each.network for each in profiles)
    }
    return write_record(
        out / "profile.json",
        "benchmark",
        "profile",
        claims(profiles, differing, slowest_row(secs)),
        seeds=[0],
        budget={"secs": secs, "image_size": image_size, "threads": 1},
        details={
            "host": host()._asdict(),
            "weights": "random",
            "files": [_summary(each) for each in profiles],
        },
        figure=_figure(profiles),
        failed=failed,
    )


def differing_rows(network: str, profiles: Sequence[ZooProfile]) -> list[str]:
    """Return the rows of a network whose multiply-adds are not those of its `summary`."""
    differing: set[str] = set()
    for each in profiles:
        shape = tuple(each.row["profile"]["operations"][0]["input_shapes"][0][1:])
        height, width, channels = shape
        found = {row.name: row.macs for row in grouped(each.row["profile"], "row") if row.macs}
        model = anatomy.build_uninitialized(
            lambda size=(height, width, channels): zoo.build(network, size)  # type: ignore[misc]
        )
        expected = {row.row: row.macs for row in anatomy.rows(model) if row.macs}
        differing |= {name for name, _ in expected.items() ^ found.items()}
    return sorted(differing)


def widened_file() -> bytes:
    """Return a file of five equal convolutions, but that `WIDENED` has four times the channels."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    x = image = keras.Input((32, 32, 16), name="image")
    for index in range(1, 6):
        name = f"conv{index}"
        filters = 64 if name == WIDENED else 16
        x = layers.Conv2D(filters, 3, padding="same", activation="relu", name=name)(x)
        if name == WIDENED:
            x = layers.Conv2D(16, 1, activation="relu", name="narrow")(x)
    x = layers.Dense(10, name="logits")(layers.GlobalAveragePooling2D(name="pool")(x))
    return convert(keras.Model(image, layers.Softmax(name="probabilities")(x)))


def slowest_row(secs: float) -> str:
    """Return the row of `widened_file` that a profile ranks first."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "widened.tflite")
        file.write_bytes(widened_file())
        options = MeasurementOptions(profile=True, profile_secs=secs)
        (row,) = measure_files([file], options).documents
    return grouped(row["profile"], "row")[0].name


def claims(
    profiles: Sequence[ZooProfile], differing: dict[str, list[str]], slowest: str
) -> list[Claim]:
    """Return the claims about the sums, the multiply-adds and the widened convolution."""
    ratios = [each.row["profile"]["sum_ms"] / each.row["profile"]["whole_ms"] for each in profiles]
    return [
        *(
            Claim(
                f"the operations of {each.network} in {each.recipe} take together what the whole "
                f"file takes, to {MAX_DIFFERENCE:.0%} (ratio)",
                abs(ratio - 1) <= MAX_DIFFERENCE,
                ratio,
            )
            for each, ratio in zip(profiles, ratios, strict=True)
        ),
        *(
            Claim(
                f"the multiply-adds of each row of {network} are those of its summary (number of "
                "rows that differ)",
                not rows,
                len(rows),
            )
            for network, rows in differing.items()
        ),
        Claim(
            "a convolution widened fourfold is ranked first (rows before it)",
            slowest == WIDENED,
            int(slowest != WIDENED),
        ),
    ]


def _summary(each: ZooProfile) -> dict[str, Any]:
    """Return the sums and the slowest rows of a profile."""
    profile = each.row["profile"]
    return {
        "network": each.network,
        "recipe": each.recipe,
        **{key: value for key, value in profile.items() if key.endswith("_ms")},
        "calls": len(profile["operations"]),
        "peak_gmac_s": profile["peak_gmac_s"],
        "rows": [row._asdict() for row in grouped(profile, "row")],
    }


def _figure(profiles: Sequence[ZooProfile]) -> Figure:
    """Draw what the sum of the operations is made of, relative to the whole file."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 1.8 + 0.35 * len(profiles)), layout="constrained")
    axes = figure.subplots()
    positions = np.arange(len(profiles))
    whole, alone, total, fusion, calls = (
        np.array([each.row["profile"][key] for each in profiles])
        for key in ("whole_ms", "alone_sum_ms", "sum_ms", "fusion_ms", "calls_ms")
    )
    axes.axvspan(1 - MAX_DIFFERENCE, 1 + MAX_DIFFERENCE, color="0.9", zorder=0)
    left = np.zeros(len(profiles))
    for ms, color, label in (
        (np.minimum(alone, total), "C0", "each alone"),
        (np.maximum(total - alone, 0), "C1", "data outside the nearest caches"),
        (fusion, "0.6", "fusion, not counted"),
        (calls, "0.75", "calls, not counted"),
    ):
        axes.barh(positions, ms / whole, left=left, height=0.7, color=color, label=label)
        left += ms / whole
    axes.axvline(1, color="black", linewidth=0.8)
    axes.set_yticks(positions, [f"{each.network} {each.recipe}" for each in profiles])
    axes.invert_yaxis()
    axes.set_xlabel("time of the operations, relative to the whole file")
    figure.legend(loc="outside upper center", ncols=4, fontsize="small", frameon=False)
    return figure
