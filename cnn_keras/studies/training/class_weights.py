"""Compare trainings on imbalanced images with and without class weights, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...data import datasets
from ...data.datasets import Dataset
from ...errors import UsageError
from ...experiments import estimates, training_runs
from ...experiments.comparison import draw_pairs, scores, train_variants
from ...experiments.record import Claim
from ...experiments.workspace import Workspace
from ...training.config import Training
from ...training.run_folder import Run
from .imbalance import class_sizes, write_imbalanced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WEIGHTS = {"unweighted": None, "balanced": "balanced"}
"""Class weights by the name of the variant."""


def class_weights(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    imbalance: float,
    learning_rates: Sequence[float] = (),
) -> dict[str, Any]:
    """Train a network on imbalanced images with and without class weights, and record the results.

    With each seed, all trainings have the same images, which are drawn with the seed. The
    validation and test splits are not made imbalanced. Finished runs are skipped.

    Args:
        training: Training without class weights on all images; its seed is replaced.
        seeds: The network is trained with and without class weights for each seed.
        workspace: Where to train and to write; the record is named after the network and the data,
            and the imbalanced data sets are written as `.npz` files beside the run folders.
        imbalance: Ratio of the largest to the smallest class of the training images.
        learning_rates: Learning rates of both. For each seed, that with the highest balanced
            accuracy on the validation split is chosen, with and without weights independently.
            Without any, that of `training` alone.

    Returns:
        The record; its interval is over seeds, of differences within a seed.

    Raises:
        UsageError: The data set consists of image files.
    """
    if datasets.stored_shape(training.data, workspace.data_dir) is None:
        raise UsageError(
            f"{training.data} is not stored as arrays: choose a named data set or npz:FILE."
        )
    dataset = datasets.load(training.data, workspace.data_dir)
    if training.train_images is not None:
        dataset = dataset._replace(train=dataset.train.sample(training.train_images))
    data = f"{Path(training.data).name}_1to{imbalance:g}"
    of_rates = {f"_{rate:g}": rate for rate in learning_rates} or {
        "": training.recipe.learning_rate
    }
    variants: dict[str, list[Training]] = {
        name + suffix: [] for name in WEIGHTS for suffix in of_rates
    }
    for seed in seeds:
        file = (workspace.runs / f"{data}_{seed}.npz").resolve()
        write_imbalanced(dataset, imbalance, seed, file)
        for name, weights in WEIGHTS.items():
            for suffix, rate in of_rates.items():
                variants[name + suffix].append(
                    _on_file(training, file, dataset, seed, weights, rate)
                )
    finished, failed = train_variants(variants, data, workspace)
    chosen = {
        name: best_on_validation([finished[name + suffix] for suffix in of_rates])
        for name in WEIGHTS
    }
    recall, balanced = (
        {name: scores(of_variant, score) for name, of_variant in chosen.items()}
        for score in ("recall", "balanced_accuracy")
    )
    done = [run.config["seed"] for run in chosen["balanced"]]
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    sizes = class_sizes(counts, imbalance).tolist()
    images = dict(zip(dataset.classes, sizes, strict=True))
    return workspace.write_record(
        f"class_weights_{training_runs.run_name(training)}",
        "class-weights",
        claims(training, imbalance, balanced),
        seeds=done,
        budget=training_runs.budget(training)
        | {"imbalance": imbalance, "train_images": sum(sizes)}
        | ({"learning_rate": list(learning_rates)} if learning_rates else {}),
        details={
            "class_images": images,
            "balanced_accuracy": balanced,
            "recall": recall,
            "learning_rate": {
                name: [run.config["recipe"]["learning_rate"] for run in of_variant]
                for name, of_variant in chosen.items()
            },
            "balanced_accuracy_by_learning_rate": {
                name: [
                    {
                        "learning_rate": rate,
                        "validation": scores(
                            finished[name + suffix], "balanced_accuracy", "validation"
                        ),
                        "test": scores(finished[name + suffix], "balanced_accuracy"),
                    }
                    for suffix, rate in of_rates.items()
                ]
                for name in WEIGHTS
            },
        },
        figure=_figure(training, images, recall, balanced, done),
        failed=failed,
    )


def best_on_validation(runs: Sequence[Sequence[Run]]) -> list[Run]:
    """Return the run of each seed with the highest balanced accuracy on the validation split.

    Args:
        runs: Runs of all seeds in the same order, by learning rate.
    """
    return [
        max(of_seed, key=lambda run: run.metrics["validation"]["balanced_accuracy"])
        for of_seed in zip(*runs, strict=True)
    ]


def _on_file(
    training: Training,
    file: Path,
    dataset: Dataset,
    seed: int,
    weights: str | None,
    learning_rate: float,
) -> Training:
    """Return the training on an imbalanced data set."""
    recipe = replace(
        training.recipe,
        learning_rate=learning_rate,
        # A file does not know whether its images may be mirrored.
        flip=training.recipe.flip and dataset.allows_flip,
    )
    return replace(
        training,
        data=f"{datasets.NPZ}{file}",
        recipe=recipe,
        seed=seed,
        train_images=None,
        class_weights=weights,
    )


def claims(
    training: Training, imbalance: float, balanced: Mapping[str, Sequence[float]]
) -> list[Claim]:
    """Return the claim that class weights raise the balanced accuracy.

    Args:
        training: One of the trainings.
        imbalance: Ratio of the largest to the smallest class of the training images.
        balanced: Balanced test accuracy for each seed, by the name of the variant.
    """
    gain = estimates.difference(balanced["balanced"], balanced["unweighted"])
    return [
        Claim(
            f"balanced class weights raise the balanced test accuracy of {training.network} on "
            f"{training.data} with an imbalance of {imbalance:g} to 1 among the training images "
            f"(difference, {len(balanced['balanced'])} seeds)",
            gain.above(0),
            *gain,
        )
    ]


def _figure(
    training: Training,
    sizes: Mapping[str, int],
    recall: Mapping[str, Sequence[Sequence[float]]],
    balanced: Mapping[str, Sequence[float]],
    seeds: Sequence[int],
) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.5), layout="constrained")
    bars, pairs = figure.subplots(1, 2, width_ratios=(2, 1))
    places = np.arange(len(sizes))
    for index, (name, values) in enumerate(recall.items()):
        means = 100 * np.mean(values, axis=0)
        bars.bar(places + 0.4 * (index - 0.5), means, width=0.4, label=name)
    labels = [f"{name}\n{count:,}" for name, count in sizes.items()]
    bars.set_xticks(places, labels, rotation=45, fontsize="small")
    bars.set_xlabel("class, and number of its training images")
    bars.set_ylabel("recall on the test split, mean over seeds, %")
    bars.legend(loc="lower left")
    draw_pairs(pairs, balanced, seeds)
    pairs.set_ylabel("balanced test accuracy, %")
    figure.suptitle(f"{training.network} on imbalanced {Path(training.data).name}")
    return figure
