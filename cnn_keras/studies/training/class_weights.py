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
from ...experiments.comparison import draw_pairs, scores_on_test, train_variants
from ...experiments.record import Claim, write_record
from ...training.config import Training
from .imbalance import class_sizes, write_imbalanced

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WEIGHTS = {"unweighted": None, "balanced": "balanced"}
"""Class weights by the name of the variant."""


def class_weights(
    training: Training,
    seeds: Sequence[int],
    *,
    imbalance: float,
    runs: Path,
    out: Path,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Train a network on imbalanced images with and without class weights, and record the results.

    With each seed, both trainings have the same images, which are drawn with the seed. The test
    split is not made imbalanced. Finished runs are skipped.

    Args:
        training: Training without class weights on all images; its seed is replaced.
        seeds: The network is trained twice for each seed.
        imbalance: Ratio of the largest to the smallest class of the training images.
        runs: Folder of the run folders, and of the imbalanced data sets as `.npz` files.
        out: Folder of the record and its figure, named after the network and the data.
        data_dir: Folder that is searched for the data set first.

    Returns:
        The record; its interval is over seeds, of differences within a seed.

    Raises:
        UsageError: The data set consists of image files.
    """
    if datasets.stored_shape(training.data, data_dir) is None:
        raise UsageError(
            f"{training.data} is not stored as arrays: choose a named data set or npz:FILE."
        )
    dataset = datasets.load(training.data, data_dir)
    if training.train_images is not None:
        dataset = dataset._replace(train=dataset.train.sample(training.train_images))
    data = f"{Path(training.data).name}_1to{imbalance:g}"
    variants: dict[str, list[Training]] = {name: [] for name in WEIGHTS}
    for seed in seeds:
        file = (runs / f"{data}_{seed}.npz").resolve()
        write_imbalanced(dataset, imbalance, seed, file)
        for name, weights in WEIGHTS.items():
            variants[name].append(_on_file(training, file, dataset, seed, weights))
    finished, failed = train_variants(variants, data, runs, data_dir)
    recall, balanced = (
        {name: scores_on_test(of_variant, score) for name, of_variant in finished.items()}
        for score in ("recall", "balanced_accuracy")
    )
    done = [run.config["seed"] for run in finished["balanced"]]
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.classes))
    sizes = class_sizes(counts, imbalance).tolist()
    images = dict(zip(dataset.classes, sizes, strict=True))
    return write_record(
        out / f"class_weights_{training_runs.run_name(training)}.json",
        "study",
        "class-weights",
        claims(training, imbalance, balanced),
        seeds=done,
        budget=training_runs.budget(training)
        | {"imbalance": imbalance, "train_images": sum(sizes)},
        details={"class_images": images, "balanced_accuracy": balanced, "recall": recall},
        figure=_figure(training, images, recall, balanced, done),
        failed=failed,
    )


def _on_file(
    training: Training, file: Path, dataset: Dataset, seed: int, weights: str | None
) -> Training:
    """Return the training on an imbalanced data set."""
    # A file does not know whether its images may be mirrored.
    recipe = replace(training.recipe, flip=training.recipe.flip and dataset.allows_flip)
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
