"""Ensembles of independently trained networks, beside a residual network of as many multiply-adds.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431: one residual network is a collection of paths, and leaving some of
    them out hardly matters, as leaving out members hardly does in an ensemble.
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
from ..experiments.record import Claim, write_record
from ..inspection import anatomy
from ..training.config import Training
from ..training.ensemble import SizeErrors, errors_by_size, require_replaceable, save_ensemble
from ..training.evaluate import evaluate_splits
from ..training.predict import predict
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LOSS_POINTS = 1.0  # what leaving out a member may cost and still hardly matter


class Trained(NamedTuple):
    """A network trained with several seeds: what it costs and what it gets wrong.

    Attributes:
        network: Row of the zoo.
        macs: Multiply-adds of one image.
        errors: Of each seed, 0 to 1.
        wrong: Share of the seeds that get each test image wrong, `(images,)`.
    """

    network: str
    macs: int
    errors: list[float]
    wrong: NDArray[np.float64]


def ensemble(
    training: Training,
    seeds: Sequence[int],
    against: Training | None,
    against_seeds: Sequence[int],
    runs: Path,
    out: Path,
    folder: Path,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Average the probabilities of a network trained with several seeds, and count the errors.

    Every ensemble that the seeds allow is made: of one member, of two, ... Intervals are over the
    test images, of the share of those ensembles that gets an image wrong.

    Args:
        training: Of the members; its seed is replaced.
        seeds: One member each.
        against: Of a network to compare with, by itself; None for none.
        against_seeds: One training of it each.
        runs: Folder of the run folders.
        out: Folder of the record and its figure, named after the network and the data.
        folder: Run folder that the ensemble of all is written to.
        data_dir: Where the data set may lie.

    Returns:
        The record.

    Raises:
        UsageError: `folder` holds something else than an ensemble.
    """
    require_replaceable(folder)
    seeds, failed = training_runs.train_all([training], seeds, runs, data_dir)
    if len(seeds) < 2:
        raise Error(f"One member is left, and no ensemble: {failed[-1]['reason']}")
    members = training_runs.finished(training, seeds, runs)
    rivals = []
    if against:
        against_seeds, others = training_runs.train_all([against], against_seeds, runs, data_dir)
        failed += others
        rivals = training_runs.finished(against, against_seeds, runs)
    loaded = members[0].load(data_dir)
    dataset = members[0].prepare(loaded)
    models = [run.model() for run in members]
    answers = {
        name: np.stack(
            [
                predict(model, run.preprocessing, dataset.split(name).images)
                for run, model in zip(members, models, strict=True)
            ]
        )
        for name in ("validation", "test")
    }
    metrics = evaluate_splits({name: each.mean(axis=0) for name, each in answers.items()}, dataset)
    save_ensemble(members, models, metrics, folder)
    labels = dataset.test.labels
    found = errors_by_size(answers["test"], labels)
    macs = anatomy.total(anatomy.rows(models[0])).macs
    one = Trained(training.network, macs, found[0].errors, found[0].wrong)
    rival = _trained(rivals, dataset) if rivals else None
    less = [
        np.delete(answers["test"], place, axis=0).mean(axis=0).argmax(axis=1) != labels
        for place in range(len(members))
    ]
    best = answers["test"][int(np.argmin(one.errors))].argmax(axis=1) != labels
    claims = [
        *_growth_claims(one.network, found),
        _claim(
            f"the ensemble of all {len(members)} errs less than its best member, chosen by the "
            "same images",
            best,
            found[-1].wrong,
        ),
        _removal_claim(less, found[-1].wrong),
        *([_rival_claim(one, found, rival)] if rival else []),
    ]
    return write_record(
        out / f"ensemble_{training_runs.name(training)}.json",
        "study",
        "ensemble",
        claims,
        seeds=seeds,
        budget={
            "epochs": training.recipe.epochs,
            "train_images": members[0].metrics["num_train_images"],
            "train_images_of_all": _distinct(training, loaded, seeds),
            "train_seconds": [run.metrics["train_seconds"] for run in (*members, *rivals)],
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
                for size in found
            ],
            "networks": [
                {"network": each.network, "macs": each.macs, "errors": each.errors}
                for each in (one, rival)
                if each
            ],
            "errors_without_one": [float(wrong.mean()) for wrong in less],
        },
        figure=_figure(training.data, one, found, rival),
        failed=failed,
    )


def _trained(runs: Sequence[Run], dataset: datasets.Dataset) -> Trained:
    models = [run.model() for run in runs]
    wrong = [
        predict(model, run.preprocessing, dataset.test.images).argmax(axis=1) != dataset.test.labels
        for run, model in zip(runs, models, strict=True)
    ]
    macs = anatomy.total(anatomy.rows(models[0])).macs
    errors = [float(each.mean()) for each in wrong]
    return Trained(runs[0].config["network"], macs, errors, np.mean(wrong, axis=0))


def _distinct(training: Training, dataset: datasets.Dataset, seeds: Sequence[int]) -> int:
    """Count the images that one member or another was trained on."""
    labels = dataset.train.labels
    count = training.train_images or len(labels)
    return len(
        {*np.concatenate([stratified_indices(labels, count, seed) for seed in seeds]).tolist()}
    )


def _claim(claim: str, before: NDArray[Any], after: NDArray[Any]) -> Claim:
    """Claim that the second errs less; by how much, over the images, which both have seen."""
    less = difference(before.tolist(), after.tolist())
    return Claim(claim, less.above(0), *less)


def _growth_claims(network: str, found: Sequence[SizeErrors]) -> list[Claim]:
    steps = [
        _claim(
            f"ensembles of {after.members} {network} err less than those of {before.members}, "
            f"mean of {len(after.errors)} and {len(before.errors)}",
            before.wrong,
            after.wrong,
        )
        for before, after in pairwise(found)
    ]
    gains = [step.value for step in steps]
    claims = [
        *steps,
        Claim(
            f"from 1 to {len(found)} members the mean error falls with every one",
            min(gains) > 0,
            min(gains),
            (min(gains), max(gains)),
        ),
    ]
    if len(gains) > 1:
        smooth = [before - after for before, after in pairwise(gains)]
        claims.append(
            Claim(
                "it falls smoothly: every further member gains less than the one before it",
                min(smooth) > 0,
                min(smooth),
                (min(smooth), max(smooth)),
            )
        )
    return claims


def _removal_claim(less: Sequence[NDArray[Any]], wrong: NDArray[Any]) -> Claim:
    worst = max(less, key=lambda each: float(each.mean()))
    more = difference(worst.tolist(), wrong.tolist())
    return Claim(
        f"leaving out any one of the {len(less)} members costs less than {LOSS_POINTS:g} point of "
        "accuracy",
        more.below(LOSS_POINTS / 100),
        *more,
    )


def _rival_claim(one: Trained, found: Sequence[SizeErrors], rival: Trained) -> Claim:
    """Compare with the ensembles that are nearest in multiply-adds."""
    size = min(found, key=lambda size: abs(size.members * one.macs - rival.macs))
    count = size.members
    return _claim(
        f"{count} {one.network} as an ensemble err less than one {rival.network}, with "
        f"{count * one.macs / rival.macs:.2f} times its multiply-adds",
        rival.wrong,
        size.wrong,
    )


def _figure(
    dataset: str, one: Trained, found: Sequence[SizeErrors], rival: Trained | None
) -> Figure:
    """Draw the error of every ensemble over what it costs, and the mean of each size."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.5, 4.5), layout="constrained")
    axes = figure.subplots()
    costs = [size.members * one.macs / 1e6 for size in found]
    for cost, size in zip(costs, found, strict=True):
        errors = [100 * error for error in size.errors]
        axes.plot([cost] * len(errors), errors, "o", color="C0", alpha=0.35, markersize=4)
    means = [100 * float(np.mean(size.errors)) for size in found]
    axes.plot(costs, means, "o-", color="C0", label=f"ensembles of {one.network}: each, and mean")
    for count, place in enumerate(zip(costs, means, strict=True), 1):
        axes.annotate(f"{count}", place, (6, 6), textcoords="offset points", color="C0")
    if rival is not None:
        errors = [100 * error for error in rival.errors]
        cost = rival.macs / 1e6
        axes.plot([cost] * len(errors), errors, "D", color="C1", alpha=0.5, markersize=4)
        label = f"one {rival.network}: each seed, and mean"
        axes.plot([cost], [float(np.mean(errors))], "D", color="C1", label=label)
    axes.set_xlabel("multiply-adds of one image, ×10⁶")
    axes.set_ylabel("test error, %")
    axes.set_title(f"Ensembles by number of members, {dataset}")
    axes.legend()
    return figure
