"""What every recipe costs every network: each file converted, audited, judged on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_keras.command import log
from cnn_keras.records import Claim, write_record
from cnn_keras.train import Training, train

from ..pipeline import Source, export
from ..recipes import DEFAULT

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_DROP_POINTS = 0.5
MAX_SIZE_RATIO = 0.30
INTEGER = "static_wi8_ai8"
SIZED = "resnet20"  # below some 100,000 parameters a file is mostly its graph


def recipes(
    networks: Sequence[str],
    data: str,
    recipe: Mapping[str, Any],
    seed: int,
    runs: Path,
    out: Path,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Train each network, skipping what is finished, export it by every recipe, record the costs.

    Args:
        networks: Rows of the zoo.
        data: Data set name.
        recipe: What to override in the networks' training recipes.
        seed: Of every training.
        runs: Folder of the run folders; files are written to `files/` in each.
        out: Folder of the record.
        data_dir: Where the data set may lie.

    Returns:
        The record.
    """
    rows: list[dict[str, Any]] = []
    for network in networks:
        log(f"{network} on {data}")
        training = Training.of(network, data, recipe=dict(recipe), seed=seed)
        run = train(training, runs / f"{network}_{data}", data_dir)
        source = Source(run.path.name, run.model(), run, run.dataset(data_dir))
        document = export(source, run.path / "files", list(DEFAULT.values()), "test")
        rows += [{"network": network, **row} for row in document["files"]]
    return write_record(
        out / f"recipes_{data}.json",
        "study",
        "recipes",
        _claims(rows, data),
        seeds=[seed],
        budget=dict(recipe),
        details={"files": [{k: v for k, v in row.items() if k != "audit"} for row in rows]},
        figure=_figure(rows),
    )


def _claims(rows: Sequence[Mapping[str, Any]], data: str) -> list[Claim]:
    integer = [row["drop_points"] for row in rows if row["recipe"] == INTEGER]
    pieces = [row["audit"]["partitions"] for row in rows]
    flex = [len(row["audit"]["flex_ops"]) for row in rows]
    left = [row["audit"]["nodes"] - (row["audit"]["delegated_nodes"] or 0) for row in rows]
    accepted = sum(row["accepted"] for row in rows)
    images = rows[0]["num_images"]
    claims = [
        Claim(f"all {len(rows)} files are accepted", accepted == len(rows), accepted),
        Claim("no file needs a Flex operation", max(flex) == 0, max(flex)),
        Claim("every file is one XNNPACK partition", set(pieces) == {1}, max(pieces)),
        Claim("every node of every file is delegated", max(left) == 0, max(left)),
        Claim(
            f"{INTEGER} is within {MAX_DROP_POINTS} points of float32 on the {images} test images "
            f"of {data} for every network (greatest drop)",
            max(integer) <= MAX_DROP_POINTS,
            max(integer),
            (min(integer), max(integer)),
        ),
    ]
    ratios = [
        row["size_ratio"] for row in rows if row["recipe"] == INTEGER and row["network"] == SIZED
    ]
    claims += [
        Claim(
            f"the {INTEGER} file of {SIZED} takes at most {MAX_SIZE_RATIO} of its float32 file",
            ratio <= MAX_SIZE_RATIO,
            ratio,
        )
        for ratio in ratios
    ]
    return claims


def _figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row["network"] for row in rows))
    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    width = 0.8 / len(DEFAULT)
    for index, name in enumerate(DEFAULT):
        drops = [row["drop_points"] for row in rows if row["recipe"] == name]
        places = [place + index * width for place in range(len(drops))]
        axes.bar(places, drops, width, label=name)
    axes.axhline(MAX_DROP_POINTS, color="0.5", linestyle=":")
    axes.axhline(0, color="0.2", linewidth=0.8)
    axes.set_xticks([place + 0.4 - width / 2 for place in range(len(networks))], networks)
    axes.set_ylabel("top-1 lost, points")
    axes.legend(fontsize="small")
    return figure
