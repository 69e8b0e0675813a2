"""Compare the test accuracy of a network by training recipe, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...experiments import estimates
from ...experiments.comparison import draw_pairs, scores, train_variants
from ...experiments.record import Claim
from ...experiments.training_runs import run_name
from ...experiments.workspace import Workspace
from ...training.config import Training
from ...training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def training_recipes(
    trainings: Mapping[str, Training],
    seeds: Sequence[int],
    workspace: Workspace,
) -> dict[str, Any]:
    """Train a network by several recipes with each seed, and compare them with the first one.

    Finished runs are skipped.

    Args:
        trainings: Trainings that differ in their recipes, by the names of these; their seeds are
            replaced.
        seeds: The network is trained once for each seed by each recipe.
        workspace: Where to train and to write; the record is named after the network and the data.

    Returns:
        The record; its intervals are over seeds, of differences within a seed.
    """
    first = next(iter(trainings.values()))
    variants = {
        name: [replace(training, seed=seed) for seed in seeds]
        for name, training in trainings.items()
    }
    finished, failed = train_variants(variants, Path(first.data).name, workspace)
    baseline = next(iter(finished.values()))
    accuracies = {name: scores(of_recipe, "accuracy") for name, of_recipe in finished.items()}
    seeds = [run.config["seed"] for run in baseline]
    return workspace.write_record(
        f"training_recipes_{run_name(first)}",
        "training-recipes",
        claims(first, accuracies),
        seeds=seeds,
        budget={
            "data": first.data,
            "train_images": baseline[0].metrics["num_train_images"],
            "epochs": first.recipe.epochs,
            "train_seconds": {
                name: [run.metrics["train_seconds"] for run in of_recipe]
                for name, of_recipe in finished.items()
            },
        },
        details={
            "test_accuracy": accuracies,
            "validation_accuracy": {
                name: [run.metrics["validation"]["accuracy"] for run in of_recipe]
                for name, of_recipe in finished.items()
            },
            "recipes": {name: each.recipe.to_dict() for name, each in trainings.items()},
        },
        figure=_figure(first, finished, accuracies, seeds),
        failed=failed,
    )


def claims(training: Training, accuracies: Mapping[str, Sequence[float]]) -> list[Claim]:
    """Return for each recipe but the first the claim that it is better than the first.

    Args:
        training: One of the trainings.
        accuracies: Test accuracy for each seed, by the name of the recipe.
    """
    (baseline, expected), *others = accuracies.items()
    made = []
    for name, reached in others:
        gain = estimates.difference(reached, expected)
        made.append(
            Claim(
                f"{training.network} has a higher test accuracy on {training.data} by the recipe "
                f"{name} than by {baseline}, after {training.recipe.epochs} epochs of each "
                f"(difference, {len(reached)} seeds)",
                gain.above(0),
                *gain,
            )
        )
    return made


def _figure(
    training: Training,
    finished: Mapping[str, Sequence[Run]],
    accuracies: Mapping[str, Sequence[float]],
    seeds: Sequence[int],
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    curves, pairs = figure.subplots(1, 2, width_ratios=(1.6, 1))
    for index, (name, runs) in enumerate(finished.items()):
        for run in runs:
            epochs = [row["epoch"] for row in run.history]
            values = [100 * row["val_accuracy"] for row in run.history]
            label = name if run is runs[0] else None
            curves.plot(epochs, values, color=f"C{index}", alpha=0.7, label=label)
    curves.set_xlabel("epoch")
    curves.set_ylabel("validation accuracy, %")
    curves.grid(alpha=0.3)
    curves.legend()
    draw_pairs(pairs, accuracies, seeds)
    pairs.set_ylabel("test accuracy, %")
    figure.suptitle(f"{training.network} on {Path(training.data).name} by training recipe")
    return figure
