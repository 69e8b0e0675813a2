"""Measure the test accuracy of a network over several seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..experiments import training_runs
from ..experiments.estimates import mean_interval, wilson
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
from ..training.config import Training
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def accuracy(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    at_least: float,
    max_seconds: float | None = None,
) -> dict[str, Any]:
    """Train a network with each seed, and record its test accuracy.

    Finished runs are skipped.

    Args:
        training: Training of the network; its seed is replaced.
        seeds: The network is trained once for each seed.
        workspace: Where to train and to write; the record is named after the network and the data.
        at_least: Claimed accuracy, 0 to 1, of the mean over seeds.
        max_seconds: Also claim that no training takes longer.

    Returns:
        The record; its interval is over seeds, or over the test images for a single seed.
    """
    seeds, failed = training_runs.train_all([training], seeds, workspace)
    finished = training_runs.finished_runs(training, seeds, workspace.runs)
    results = [run.metrics["test"] for run in finished]
    values = [result["accuracy"] for result in results]
    seconds = [run.metrics["train_seconds"] for run in finished]
    if len(values) > 1:
        mean, low, high = mean_interval(values)
    else:
        mean = values[0]
        low, high = wilson(mean, results[0]["num_images"])
    count = finished[0].metrics["num_train_images"]
    claims = [
        Claim(
            f"{training.network} reaches {100 * at_least:.4g} % on the test split of "
            f"{training.data} within {training.recipe.epochs} epochs of {count:,} images, mean of "
            f"{len(seeds)} seed(s)",
            mean >= at_least,
            mean,
            (low, high),
        )
    ]
    if max_seconds is not None:
        claims.append(
            Claim(
                f"each training takes less than {max_seconds:g} s",
                max(seconds) < max_seconds,
                max(seconds),
                (min(seconds), max(seconds)),
            )
        )
    return workspace.write_record(
        training_runs.run_name(training),
        "accuracy",
        claims,
        seeds=seeds,
        budget={
            "epochs": training.recipe.epochs,
            "train_images": count,
            "train_seconds": seconds,
        },
        details={"test": results, "config": finished[0].config},
        figure=_figure(finished, at_least),
        failed=failed,
    )


def _figure(runs: Sequence[Run], at_least: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axes = figure.subplots()
    for run in runs:
        epochs = [row["epoch"] for row in run.history]
        seed = run.config["seed"]
        axes.plot(epochs, [row["val_accuracy"] for row in run.history], label=f"seed {seed}")
    axes.axhline(at_least, color="0.5", linestyle=":", label="claimed")
    axes.set_xlabel("epoch")
    axes.set_ylabel("validation accuracy")
    axes.set_title(f"{runs[0].config['network']} on {runs[0].config['data']}")
    axes.legend()
    return figure
