"""Measure the cost of each recipe for each network on the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cnn_keras.experiments import training_runs
from cnn_keras.experiments.record import Claim
from cnn_keras.experiments.workspace import Workspace
from cnn_keras.training.config import Training

from ..pipeline import export
from ..recipes import Recipe, recipe
from ..source_model import SourceModel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_SIZE_RATIO = 0.30
INTEGER = "static_wi8_ai8"
AWARE = "aware_wi8_ai8"
SIZE_NETWORK = "resnet20"  # a file of less than about 100,000 parameters is mostly its graph


def recipes(
    trainings: Sequence[Training],
    chosen: Sequence[Recipe],
    workspace: Workspace,
    *,
    tuning_epochs: int | None = None,
) -> dict[str, Any]:
    """Train each network, export it with each recipe, and record the costs.

    Finished runs are skipped.

    Args:
        trainings: Trainings that differ in the network only.
        chosen: Rows of `RECIPES`.
        workspace: Where to train and to write; the record is named after the data, and files are
            written to `files/` in each run folder.
        tuning_epochs: See `export`.

    Returns:
        The record.
    """
    rows: list[dict[str, Any]] = []
    failed: list[training_runs.FailedRun] = []
    results = training_runs.train_with_own_seeds(trainings, workspace)
    for training, (run, reason) in zip(trainings, results, strict=True):
        if reason is not None:
            failed.append({"run": training.network, "reason": reason})
            continue
        with training_runs.continue_on_error(training.network, failed):
            source = SourceModel.of_run(run, workspace.data_dir)
            document = export(source, run.path / "files", chosen, "test", tuning_epochs)
            rows += [{"network": training.network, **row} for row in document["files"]]
    training_runs.require_any(rows, failed)
    return workspace.write_record(
        f"recipes_{document['data']}",
        "recipes",
        _claims(rows, document["data"]),
        seeds=[trainings[0].seed],
        budget={
            "trainings": {
                training.network: training_runs.budget(training) for training in trainings
            },
            "tuning_epochs": tuning_epochs,
        },
        details={"files": [{k: v for k, v in row.items() if k != "audit"} for row in rows]},
        figure=_figure(rows),
        failed=failed,
    )


def _claims(rows: Sequence[Mapping[str, Any]], data: str) -> list[Claim]:
    written = [row for row in rows if row["audit"]]
    audits = [row["audit"] for row in written]
    partitions = [audit["partitions"] or 0 for audit in audits]
    flex_ops = [len(audit["flex_ops"]) for audit in audits]
    undelegated = [audit["nodes"] - (audit["delegated_nodes"] or 0) for audit in audits]
    accepted = sum(row["accepted"] for row in rows)
    claims = [
        Claim(f"all {len(rows)} files are accepted", accepted == len(rows), accepted),
        Claim("no file needs a Flex operation", not any(flex_ops), max(flex_ops, default=0)),
        Claim(
            "every file is one XNNPACK partition",
            set(partitions) == {1},
            max(partitions, default=0),
        ),
        Claim(
            "every node of every file is delegated",
            not any(undelegated),
            max(undelegated, default=0),
        ),
    ]
    for name in (INTEGER, AWARE):
        limit = recipe(name).limits.max_drop_points
        drops = [row["drop_points"] for row in written if row["recipe"] == name]
        if drops:
            claim = (
                f"{name} is within {limit} points of float32 on the {rows[0]['num_images']} test "
                f"images of {data} for every network (largest drop)"
            )
            interval = (min(drops), max(drops))
            claims.append(Claim(claim, max(drops) <= limit, max(drops), interval))
    ratios = [
        row["size_ratio"]
        for row in written
        if row["recipe"] == INTEGER and row["network"] == SIZE_NETWORK
    ]
    claims += [
        Claim(
            f"the {INTEGER} file of {SIZE_NETWORK} has at most {MAX_SIZE_RATIO} of the size of its "
            "float32 file",
            ratio <= MAX_SIZE_RATIO,
            ratio,
        )
        for ratio in ratios
    ]
    return claims


def _figure(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the lost accuracy and the compressed size of each file."""
    from matplotlib import colormaps
    from matplotlib.figure import Figure

    networks = list(dict.fromkeys(row["network"] for row in rows))
    names = list(dict.fromkeys(row["recipe"] for row in rows))
    figure = Figure(figsize=(10, 7), layout="constrained")
    drop, size = figure.subplots(2, sharex=True)
    width = 0.8 / len(names)
    for index, name in enumerate(names):
        files = [row for row in rows if row["recipe"] == name and row["audit"]]
        positions = [networks.index(row["network"]) + index * width for row in files]
        color = colormaps["tab20"](index)
        drop.bar(positions, [row["drop_points"] for row in files], width, label=name, color=color)
        size.bar(positions, [row["gzip_bytes"] / 1000 for row in files], width, color=color)
    drop.axhline(recipe(INTEGER).limits.max_drop_points, color="0.5", linestyle=":")
    drop.axhline(0, color="0.2", linewidth=0.8)
    drop.set_ylabel("top-1 lost, points")
    size.set_ylabel("gzip-compressed size, kB")
    size.set_yscale("log")
    size.set_xticks([index + 0.4 - width / 2 for index in range(len(networks))], networks)
    figure.legend(fontsize="small", loc="outside right upper")
    return figure
