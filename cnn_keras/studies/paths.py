"""Measure the lengths of the paths through a residual network, and the gradient of each length.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 6.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from ..data.datasets import Dataset
from ..errors import Error
from ..experiments import training_runs
from ..experiments.cache import cached_result
from ..experiments.estimates import difference, geometric_mean, mean
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
from ..inspection.gradient_paths import central_interval, path_counts, path_gradient_norms
from ..inspection.surgery import split_into_modules
from ..training.config import Training
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EFFECTIVE_SHARE = 0.95  # of the gradient: what the effective paths carry
MIN_EXPLAINED_VARIANCE = 0.9  # of the fitted line
MAX_SHARE_OF_PATHS = 0.1  # for the effective paths
MIN_HELD_OUT_SHARE = 0.9  # of the gradient of the images that the effective paths are not chosen by
MAX_EXTRA_ERROR_POINTS = 1.0  # of the network trained on effective paths only


@dataclass(frozen=True)
class PathGradients:
    """Gradients of the paths through one trained network, by seed.

    Attributes:
        network: Row of the zoo.
        magnitudes: Norm of the gradient along a path of each length, mean over the first half of
            the images and over the second half, `(seeds, 2, modules + 1)`.
    """

    network: str
    magnitudes: NDArray[np.float64]

    @property
    def modules(self) -> int:
        """Number of modules of the network."""
        return self.magnitudes.shape[-1] - 1

    @property
    def paths(self) -> NDArray[np.float64]:
        """Share of all paths that have each length, `(modules + 1,)`."""
        return np.array([count / 2**self.modules for count in path_counts(self.modules)])

    @property
    def norms(self) -> NDArray[np.float64]:
        """Norm of the gradient along a path of each length, `(seeds, modules + 1)`."""
        return self.magnitudes.mean(axis=1)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the gradient that the paths of each length carry, `(seeds, modules + 1)`.

        As in the paper, this is the norm along one path times the number of paths.
        """
        return _normalized(self.norms * self.paths)

    @property
    def lengths(self) -> list[float]:
        """Mean length of the paths, weighted by the gradient that they carry, for each seed."""
        return (self.shares @ np.arange(self.modules + 1)).tolist()

    @property
    def effective(self) -> tuple[int, int]:
        """Shortest and longest effective path: together they carry `EFFECTIVE_SHARE`."""
        return central_interval(self.shares.mean(axis=0), EFFECTIVE_SHARE)

    def held_out_shares(self) -> list[float]:
        """Return the gradient share of one half's effective paths in the other half."""
        held_out_shares = []
        for first, second in _normalized(self.magnitudes * self.paths):
            for one, other in ((first, second), (second, first)):
                low, high = central_interval(one, EFFECTIVE_SHARE)
                held_out_shares.append(float(other[low : high + 1].sum()))
        return held_out_shares

    def lines(self) -> list[tuple[float, float, float]]:
        """Fit a line to the decimal logarithm of the norms of each seed.

        Returns:
            Slope, intercept and explained variance for each seed.
        """
        lines = []
        for norms in self.norms:
            lengths = np.flatnonzero(norms)
            logs = np.log10(norms[lengths])
            slope, intercept = np.polyfit(lengths, logs, 1)
            residuals = logs - slope * lengths - intercept
            explained = 1 - float(residuals.var() / logs.var())
            lines.append((float(slope), float(intercept), explained))
        return lines


@dataclass(frozen=True)
class Control:
    """A network trained on short paths only, beside the same network trained on all paths.

    Attributes:
        gradients: Path gradients of the network trained with all modules.
        branches: Number of modules that are active in a training step, chosen at random for each
            step; the paths are half as long on average.
        whole: Test error of each seed, trained with all modules.
        drawn: Test error of each seed, trained with randomly chosen modules.
    """

    gradients: PathGradients
    branches: int
    whole: list[float]
    drawn: list[float]


def _normalized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / values.sum(axis=-1, keepdims=True)


def paths(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    images: int,
    control: Training | None = None,
) -> dict[str, Any]:
    """Count the paths through a residual network, and measure the gradient along some of them.

    Finished runs are skipped, and their results are cached.

    Args:
        training: Training of the network; its seed is replaced.
        seeds: The network is trained once for each seed.
        workspace: Where to train and to write; the record is named after the network and the data.
        images: Number of training images; each gives one path of every length.
        control: Training of a network that is also trained on effective paths only: in each step
            as many modules are active as make its paths as long as the effective ones on average.

    Returns:
        The record.

    Raises:
        Error: The gradient of a network is zero.
    """
    trainings = [training, control] if control else [training]
    seeds, failed = training_runs.train_all(trainings, seeds, workspace)
    finished = training_runs.finished_runs(training, seeds, workspace.runs)
    gradients = _path_gradients(training.network, finished, images, workspace.data_dir)
    controlled = _control(control, seeds, images, workspace) if control else None
    return workspace.write_record(
        f"paths_{training_runs.run_name(training)}",
        "paths",
        claims(gradients, controlled),
        seeds=seeds,
        budget={
            "images": images,
            "epochs": training.recipe.epochs,
            "recipe": training.recipe.to_dict(),
            "train_images": finished[0].metrics["num_train_images"],
        },
        details=_document(gradients) | {"control": controlled and _control_document(controlled)},
        figure=_figure(gradients),
        failed=failed,
    )


def _control(
    training: Training, seeds: Sequence[int], images: int, workspace: Workspace
) -> Control:
    whole = training_runs.finished_runs(training, seeds, workspace.runs)
    gradients = _path_gradients(training.network, whole, images, workspace.data_dir)
    branches = min(max(round(2 * float(np.mean(gradients.lengths))), 1), gradients.modules)
    drawn = training_runs.train_each(
        replace(training, options={**training.options, "branches": branches}),
        seeds,
        workspace,
        variant=f"branches{branches}",
    )
    errors = [[1 - run.metrics["test"]["accuracy"] for run in each] for each in (whole, drawn)]
    return Control(gradients, branches, *errors)


def _path_gradients(
    network: str, runs: Sequence[Run], images: int, data_dir: Path | None
) -> PathGradients:
    dataset = runs[0].raw_dataset(data_dir)
    magnitudes = [
        cached_result(run, "paths", {"images": images}, partial(_measure, run, dataset, images))
        for run in runs
    ]
    gradients = PathGradients(network, np.array(magnitudes))
    if not gradients.magnitudes.any(axis=-1).all():
        raise Error(
            f"The gradient of {network} is zero for one of its seeds: train it with a lower "
            "--learning-rate."
        )
    return gradients


def _measure(run: Run, dataset: Dataset, images: int) -> list[list[float]]:
    """Return the mean norms by path length for each half of the images."""
    seed = run.config["seed"]
    train = run.prepare_dataset(dataset).train
    sample = train.sample(images, seed)
    model = run.model()
    network = split_into_modules(
        keras.Model(model.input, model.get_layer("logits").output, name=model.name)
    )
    norms = path_gradient_norms(network, run.preprocessing(sample.read()), sample.labels, seed)
    return [norms[half::2].mean(axis=0).tolist() for half in (0, 1)]


def claims(gradients: PathGradients, control: Control | None = None) -> list[Claim]:
    """Return the claims of the paper about paths and their gradients, with the measured values."""
    network, modules, half = gradients.network, gradients.modules, gradients.modules / 2
    all_low, all_high = central_interval(gradients.paths, EFFECTIVE_SHARE)
    low, high = gradients.effective
    effective_paths = float(gradients.paths[low : high + 1].sum())
    slopes, _, explained = zip(*gradients.lines(), strict=True)
    factor = geometric_mean([10**slope for slope in slopes])
    variance, length = mean(explained), mean(gradients.lengths)
    held_out = gradients.held_out_shares()
    paper = [
        Claim(
            f"the {2**modules:,} paths through {network} are {half:g} of its {modules} modules "
            f"long on average, and {EFFECTIVE_SHARE:.0%} of them are {all_low} to {all_high} long",
            bool(np.isclose(gradients.paths @ np.arange(modules + 1), half)),
            half,
            (all_low, all_high),
        ),
        Claim(
            "the gradient along a path falls with its length: each module multiplies it by less "
            "than 1",
            factor.below(1),
            *factor,
        ),
        Claim(
            "the gradient along a path falls about exponentially: a straight line explains "
            f"{MIN_EXPLAINED_VARIANCE:.0%} of the variance of its logarithm",
            variance.value >= MIN_EXPLAINED_VARIANCE,
            *variance,
        ),
        Claim(
            "the paths that carry the gradient are shorter on average than half of the modules, "
            f"which is {half:g}",
            length.below(half),
            *length,
        ),
        Claim(
            f"the effective paths, which carry {EFFECTIVE_SHARE:.0%} of the gradient, are {low} to "
            f"{high} modules long: none is longer than half of the modules",
            high <= half,
            high,
            (low, high),
        ),
        Claim(
            f"the effective paths are fewer than {MAX_SHARE_OF_PATHS:.0%} of all paths",
            effective_paths < MAX_SHARE_OF_PATHS,
            effective_paths,
        ),
        Claim(
            "the effective paths of one half of the images carry "
            f"{MIN_HELD_OUT_SHARE:.0%} of the gradient of the other half",
            min(held_out) >= MIN_HELD_OUT_SHARE,
            min(held_out),
            (min(held_out), max(held_out)),
        ),
    ]
    return [*paper, *([_control_claim(control)] if control else [])]


def _control_claim(control: Control) -> Claim:
    increase = difference(control.drawn, control.whole)
    network, modules = control.gradients.network, control.gradients.modules
    return Claim(
        f"{network} trained with {control.branches} of its {modules} modules in each step, so that "
        f"its paths are {control.branches / 2:g} long on average like the effective ones, has at "
        f"most {MAX_EXTRA_ERROR_POINTS:g} point more error than {network} trained with all modules",
        increase.below(MAX_EXTRA_ERROR_POINTS / 100),
        *increase,
    )


def _control_document(control: Control) -> dict[str, Any]:
    return {
        **_document(control.gradients),
        "branches": control.branches,
        "errors": {"whole": control.whole, "drawn": control.drawn},
    }


def _document(gradients: PathGradients) -> dict[str, Any]:
    low, high = gradients.effective
    return {
        "network": gradients.network,
        "modules": gradients.modules,
        "effective": {"mass": EFFECTIVE_SHARE, "shortest": low, "longest": high},
        "lengths": [
            {"length": length, "paths": count, "norm": norm, "gradient": share}
            for length, (count, norm, share) in enumerate(
                zip(
                    path_counts(gradients.modules),
                    gradients.norms.mean(axis=0).tolist(),
                    gradients.shares.mean(axis=0).tolist(),
                    strict=True,
                )
            )
        ],
        "norms": gradients.norms.tolist(),
        "mean_lengths": gradients.lengths,
    }


def _figure(gradients: PathGradients) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    figure.suptitle(f"Paths through {gradients.network}, by length in modules")
    lengths = np.arange(gradients.modules + 1)
    number, norm, share = figure.subplots(1, 3)

    number.bar(lengths, path_counts(gradients.modules))
    number.set_title("a: number of paths", fontsize="medium")
    number.set_ylabel("paths")

    for norms in gradients.norms:
        norm.plot(lengths, norms, "o", color="C0", alpha=0.5, markersize=4)
    slope, intercept = np.mean([line[:2] for line in gradients.lines()], axis=0)
    label = f"×{10**slope:.2g} per module"
    norm.plot(lengths, 10 ** (intercept + slope * lengths), color="C1", label=label)
    norm.set_yscale("log")
    norm.set_title("b: gradient along one path", fontsize="medium")
    norm.set_ylabel("norm of the gradient, each seed")
    norm.legend(fontsize="small")

    low, high = gradients.effective
    share.axvspan(
        low - 0.5, high + 0.5, color="C1", alpha=0.15, label=f"effective: {low} to {high}"
    )
    share.bar(lengths, 100 * gradients.shares.mean(axis=0), label="of the gradient")
    share.plot(lengths, 100 * gradients.paths, "k--", linewidth=1, label="of the paths")
    share.set_title("c: gradient along all paths", fontsize="medium")
    share.set_ylabel("share, %")
    share.margins(y=0.35)  # room for the legend
    share.legend(fontsize="small")
    for axes in (number, norm, share):
        axes.set_xlabel("modules")
    return figure
