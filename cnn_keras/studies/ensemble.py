"""Compare ensembles of independently trained networks with one residual network of the same cost.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431: a residual network is a collection of paths, and removing some of
    them hardly matters, just as removing members of an ensemble hardly matters.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data import datasets
from ..data.splits import stratified_indices
from ..errors import Error
from ..experiments import training_runs
from ..experiments.estimates import difference
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
from ..inspection import anatomy
from ..training.config import Training
from ..training.ensemble import SizeErrors, errors_by_size, require_replaceable, save_ensemble
from ..training.evaluate import evaluate_splits
from ..training.predict import predict
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_REMOVAL_POINTS = 1.0  # accuracy that removing one member may cost


class NetworkErrors(NamedTuple):
    """The cost and the errors of a network that was trained with several seeds.

    Attributes:
        network: Row of the zoo.
        macs: Multiply-adds for one image.
        errors: Test error of each seed, 0 to 1.
        wrong: Share of the seeds that misclassify each test image, `(images,)`.
    """

    network: str
    macs: int
    errors: list[float]
    wrong: NDArray[np.float64]


def ensemble(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    folder: Path,
    baseline: Training | None = None,
    baseline_seeds: Sequence[int] = (),
) -> dict[str, Any]:
    """Average the probabilities of a network trained with several seeds, and count the errors.

    The study evaluates all ensembles of one member, of two members, and so on. Intervals are over
    the test images, of the share of the ensembles of a size that misclassify an image.

    Args:
        training: Training of the members; its seed is replaced.
        seeds: One member is trained for each seed.
        workspace: Where to train and to write; the record is named after the network and the data.
        folder: Run folder to which the ensemble of all members is written.
        baseline: Training of a single network to compare with; None for no comparison.
        baseline_seeds: The baseline is trained once for each of these seeds.

    Returns:
        The record.

    Raises:
        UsageError: `folder` holds something other than an ensemble.
        Error: Fewer than two members could be trained.
    """
    require_replaceable(folder)
    seeds, failed = training_runs.train_all([training], seeds, workspace)
    if len(seeds) < 2:
        raise Error(f"An ensemble needs two members, and one is left: {failed[-1]['reason']}")
    members = training_runs.finished_runs(training, seeds, workspace.runs)
    baseline_runs = []
    if baseline:
        trained, failures = training_runs.train_all([baseline], baseline_seeds, workspace)
        failed += failures
        baseline_runs = training_runs.finished_runs(baseline, trained, workspace.runs)
    loaded = members[0].raw_dataset(workspace.data_dir)
    dataset = members[0].prepare_dataset(loaded)
    models = [run.model() for run in members]
    probabilities = {
        split: np.stack(
            [
                predict(model, run.preprocessing, dataset.split(split))
                for run, model in zip(members, models, strict=True)
            ]
        )
        for split in ("validation", "test")
    }
    means = {split: values.mean(axis=0) for split, values in probabilities.items()}
    save_ensemble(members, models, evaluate_splits(means, dataset), folder)
    labels = dataset.test.labels
    by_size = errors_by_size(probabilities["test"], labels)
    macs = anatomy.total(anatomy.rows(models[0])).macs
    member = NetworkErrors(training.network, macs, by_size[0].errors, by_size[0].wrong)
    other = _network_errors(baseline_runs, dataset) if baseline_runs else None
    wrong_without_one = [
        np.delete(probabilities["test"], index, axis=0).mean(axis=0).argmax(axis=1) != labels
        for index in range(len(members))
    ]
    best = probabilities["test"][int(np.argmin(member.errors))].argmax(axis=1) != labels
    claims = [
        *_size_claims(member.network, by_size),
        _lower_error_claim(
            f"the ensemble of all {len(members)} has a lower error than its best member on the "
            "same images",
            best,
            by_size[-1].wrong,
        ),
        _removal_claim(wrong_without_one, by_size[-1].wrong),
        *([_baseline_claim(member, by_size, other)] if other else []),
    ]
    return workspace.write_record(
        f"ensemble_{training_runs.run_name(training)}",
        "ensemble",
        claims,
        seeds=seeds,
        budget={
            "epochs": training.recipe.epochs,
            "recipe": training.recipe.to_dict(),
            "train_images": members[0].metrics["num_train_images"],
            "train_images_of_all": _count_distinct_images(training, loaded, seeds),
            "train_seconds": [run.metrics["train_seconds"] for run in (*members, *baseline_runs)],
        },
        details={
            "run": str(folder),
            "data": training.data,
            "num_test_images": len(labels),
            "sizes": [
                {
                    "members": size.members,
                    "ensembles": len(size.errors),
                    "macs": size.members * macs,
                    "error": float(np.mean(size.errors)),
                    "least_error": min(size.errors),
                    "greatest_error": max(size.errors),
                }
                for size in by_size
            ],
            "networks": [
                {"network": each.network, "macs": each.macs, "errors": each.errors}
                for each in (member, other)
                if each
            ],
            "errors_without_one": [float(wrong.mean()) for wrong in wrong_without_one],
        },
        figure=_figure(training.data, member, by_size, other),
        failed=failed,
    )


def _network_errors(runs: Sequence[Run], dataset: datasets.Dataset) -> NetworkErrors:
    models = [run.model() for run in runs]
    wrong = [
        predict(model, run.preprocessing, dataset.test).argmax(axis=1) != dataset.test.labels
        for run, model in zip(runs, models, strict=True)
    ]
    macs = anatomy.total(anatomy.rows(models[0])).macs
    errors = [float(each.mean()) for each in wrong]
    return NetworkErrors(runs[0].config["network"], macs, errors, np.mean(wrong, axis=0))


def _count_distinct_images(
    training: Training, dataset: datasets.Dataset, seeds: Sequence[int]
) -> int:
    """Count the images that at least one member was trained on."""
    labels = dataset.train.labels
    count = training.train_images or len(labels)
    return len(
        {*np.concatenate([stratified_indices(labels, count, seed) for seed in seeds]).tolist()}
    )


def _lower_error_claim(claim: str, before: NDArray[Any], after: NDArray[Any]) -> Claim:
    """Claim that the second error is lower, with the paired difference over the same images."""
    decrease = difference(before.tolist(), after.tolist())
    return Claim(claim, decrease.above(0), *decrease)


def _size_claims(network: str, by_size: Sequence[SizeErrors]) -> list[Claim]:
    steps = [
        _lower_error_claim(
            f"ensembles of {after.members} {network} have a lower error than those of "
            f"{before.members}, mean of {len(after.errors)} and {len(before.errors)}",
            before.wrong,
            after.wrong,
        )
        for before, after in pairwise(by_size)
    ]
    gains = [step.value for step in steps]
    claims = [
        *steps,
        Claim(
            f"from 1 to {len(by_size)} members the mean error falls with each member",
            min(gains) > 0,
            min(gains),
            (min(gains), max(gains)),
        ),
    ]
    if len(gains) > 1:
        differences = [before - after for before, after in pairwise(gains)]
        claims.append(
            Claim(
                "the error falls smoothly: each member gains less than the one before it",
                min(differences) > 0,
                min(differences),
                (min(differences), max(differences)),
            )
        )
    return claims


def _removal_claim(wrong_without_one: Sequence[NDArray[Any]], wrong: NDArray[Any]) -> Claim:
    worst = max(wrong_without_one, key=lambda each: float(each.mean()))
    increase = difference(worst.tolist(), wrong.tolist())
    return Claim(
        f"removing any one of the {len(wrong_without_one)} members costs less than "
        f"{MAX_REMOVAL_POINTS:g} point of accuracy",
        increase.below(MAX_REMOVAL_POINTS / 100),
        *increase,
    )


def _baseline_claim(
    member: NetworkErrors, by_size: Sequence[SizeErrors], baseline: NetworkErrors
) -> Claim:
    """Compare the baseline with the ensembles of the nearest number of multiply-adds."""
    nearest = min(by_size, key=lambda size: abs(size.members * member.macs - baseline.macs))
    count = nearest.members
    return _lower_error_claim(
        f"an ensemble of {count} {member.network} has a lower error than one {baseline.network}, "
        f"with {count * member.macs / baseline.macs:.2f} times its multiply-adds",
        baseline.wrong,
        nearest.wrong,
    )


def _figure(
    dataset: str,
    member: NetworkErrors,
    by_size: Sequence[SizeErrors],
    baseline: NetworkErrors | None,
) -> Figure:
    """Draw the error of each ensemble against its cost, and the mean of each size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    axes = figure.subplots()
    costs = [size.members * member.macs / 1e6 for size in by_size]
    for cost, size in zip(costs, by_size, strict=True):
        errors = [100 * error for error in size.errors]
        axes.plot([cost] * len(errors), errors, "o", color="C0", alpha=0.35, markersize=4)
    means = [100 * float(np.mean(size.errors)) for size in by_size]
    axes.plot(
        costs, means, "o-", color="C0", label=f"ensembles of {member.network}: each, and mean"
    )
    for count, point in enumerate(zip(costs, means, strict=True), 1):
        axes.annotate(f"{count}", point, (6, 6), textcoords="offset points", color="C0")
    if baseline is not None:
        errors = [100 * error for error in baseline.errors]
        cost = baseline.macs / 1e6
        axes.plot([cost] * len(errors), errors, "D", color="C1", alpha=0.5, markersize=4)
        label = f"one {baseline.network}: each seed, and mean"
        axes.plot([cost], [float(np.mean(errors))], "D", color="C1", label=label)
    axes.set_xlabel("multiply-adds of one image, ×10⁶")
    axes.set_ylabel("test error, %")
    axes.set_title(f"Ensembles by number of members, {dataset}")
    axes.legend()
    return figure
