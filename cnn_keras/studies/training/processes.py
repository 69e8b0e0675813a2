"""Compare trainings in one process and in several, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...experiments import estimates, training_runs
from ...experiments.comparison import draw_pairs, scores
from ...experiments.executors.together import Together
from ...experiments.record import Claim
from ...experiments.workspace import Workspace
from ...training.config import Training
from ...training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSSES = ("loss", "val_loss")
"""Columns of the curves in history.csv."""


def processes(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    counts: Sequence[int],
    tolerance: float,
) -> dict[str, Any]:
    """Train a network in different numbers of processes of JAX, and record what differs.

    All trainings have the same global batches, and end with an error if the weights of their
    processes are not equal. Finished runs are skipped.

    Args:
        training: The training; its seed is replaced.
        seeds: The network is trained once for each seed with each number of processes.
        workspace: Where to train and to write; the record is named after the network and the data.
        counts: Numbers of processes; the first one is compared with the others.
        tolerance: Claimed largest relative difference of the training loss of an epoch.

    Returns:
        The record; its intervals are over seeds, of differences within a seed.

    Raises:
        Error: A training failed.
    """
    finished = {
        count: training_runs.train_each(
            training,
            seeds,
            workspace._replace(executor=Together(count)),
            variant=f"{count}_processes",
        )
        for count in counts
    }
    losses = {
        count: {name: _curves(of_count, name) for name in LOSSES}
        for count, of_count in finished.items()
    }
    accuracies = {count: scores(of_count, "accuracy") for count, of_count in finished.items()}
    first = finished[counts[0]][0]
    return workspace.write_record(
        f"processes_{training_runs.run_name(training)}",
        "processes",
        claims(training, tolerance, losses, accuracies),
        seeds=seeds,
        budget=training_runs.budget(training)
        | {
            "train_images": first.metrics["num_train_images"],
            "train_seconds": {
                count: [run.metrics["train_seconds"] for run in of_count]
                for count, of_count in finished.items()
            },
        },
        details={"losses": losses, "test_accuracy": accuracies},
        figure=_figure(training, losses, accuracies, seeds),
    )


def _curves(runs: Sequence[Run], name: str) -> list[list[float]]:
    """Return a column of each run's table."""
    return [[row[name] for row in run.history] for run in runs]


def claims(
    training: Training,
    tolerance: float,
    losses: Mapping[int, Mapping[str, Sequence[Sequence[float]]]],
    accuracies: Mapping[int, Sequence[float]],
) -> list[Claim]:
    """Return the claims that several processes train as the first number of them.

    The intervals of the accuracies contain the true differences with 95 % together.

    Args:
        training: One of the trainings.
        tolerance: Claimed largest relative difference of the training loss of an epoch.
        losses: Curves by name `(seeds, epochs)`, by the number of processes.
        accuracies: Test accuracy for each seed, by the number of processes.
    """
    (first, expected), *others = losses.items()
    made = []
    for count, found in others:
        what = f"in {count} processes instead of {first}, {training.network} on {training.data}"
        largest = float(np.max(np.abs(np.divide(found["loss"], expected["loss"]) - 1)))
        made.append(
            Claim(
                f"{what} has the same training loss up to {100 * tolerance:g} % in each of "
                f"{training.recipe.epochs} epochs ({len(accuracies[first])} seeds)",
                largest <= tolerance,
                largest,
            )
        )
        change = estimates.difference(accuracies[count], accuracies[first], len(others))
        low, high = change.interval or (change.value, change.value)
        made.append(
            Claim(
                f"{what} has a test accuracy that shows no difference "
                f"({len(accuracies[first])} seeds)",
                low <= 0 <= high,
                *change,
            )
        )
    return made


def _figure(
    training: Training,
    losses: Mapping[int, Mapping[str, Sequence[Sequence[float]]]],
    accuracies: Mapping[int, Sequence[float]],
    seeds: Sequence[int],
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 4.5), layout="constrained")
    *curves, pairs = figure.subplots(1, 3)
    for axes, name, split in zip(curves, LOSSES, ("training", "validation"), strict=True):
        for index, (count, of_count) in enumerate(losses.items()):
            # Curves of several processes lie on each other: the later are narrower.
            style = {"color": f"C{index}", "linewidth": 2 * (len(losses) - index)}
            for values in of_count[name]:
                label = count if values is of_count[name][0] else None
                axes.plot(range(1, len(values) + 1), values, label=label, **style)
        axes.set_xlabel("epoch")
        axes.set_ylabel(f"{split} loss, a line for each seed")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    curves[0].legend(title="processes")
    draw_pairs(pairs, {str(count): values for count, values in accuracies.items()}, seeds)
    pairs.set_xlabel("processes")
    pairs.set_ylabel("test accuracy, %")
    figure.suptitle(f"{training.network} on {Path(training.data).name} by number of processes")
    return figure
