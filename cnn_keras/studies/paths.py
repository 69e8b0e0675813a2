"""How long the paths through a residual network are, and which of them the gradient comes along.

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
from ..experiments.cache import kept
from ..experiments.estimates import difference, geometric_mean, mean
from ..experiments.record import Claim, write_record
from ..inspection.gradient_paths import central, counts, magnitudes
from ..inspection.surgery import cut
from ..training.config import Training
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MASS = 0.95  # of the gradient comes along the effective paths
STRAIGHT = 0.9  # of the variance: what a straight line has to explain
FEW = 0.1  # of all paths
HELD = 0.9  # of the gradient that was not looked at for finding them
CLOSE_POINTS = 1.0  # what a network trained without long paths may lose


@dataclass(frozen=True)
class Found:
    """What was found about the trainings of one network.

    Attributes:
        network: Row of the zoo.
        magnitudes: Mean over images of the gradient's norm along a path of each length, of one half
            of the images and of the other, `(seeds, 2, modules + 1)`.
    """

    network: str
    magnitudes: NDArray[np.float64]

    @property
    def modules(self) -> int:
        """How many modules the network has."""
        return self.magnitudes.shape[-1] - 1

    @property
    def paths(self) -> NDArray[np.float64]:
        """Share of all paths that each length has, `(modules + 1,)`."""
        return np.array([count / 2**self.modules for count in counts(self.modules)])

    @property
    def norms(self) -> NDArray[np.float64]:
        """The gradient's norm by length, `(seeds, modules + 1)`."""
        return self.magnitudes.mean(axis=1)

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of the gradient that comes along the paths of each length, `(seeds, modules + 1)`.

        As the paper has it: a path's norm times the number of paths.
        """
        return _normalized(self.norms * self.paths)

    @property
    def lengths(self) -> list[float]:
        """Mean length of the paths that the gradient comes along, of each seed."""
        return (self.shares @ np.arange(self.modules + 1)).tolist()

    @property
    def effective(self) -> tuple[int, int]:
        """Shortest and longest of the effective paths, which hold `MASS` of the gradient."""
        return central(self.shares.mean(axis=0), MASS)

    def held(self) -> list[float]:
        """Return what share of the other half's gradient the effective paths of one half hold."""
        found = []
        for first, second in _normalized(self.magnitudes * self.paths):
            for one, other in ((first, second), (second, first)):
                low, high = central(one, MASS)
                found.append(float(other[low : high + 1].sum()))
        return found

    def lines(self) -> list[tuple[float, float, float]]:
        """Return slope and intercept of the norm's decimal logarithm, and explained variance."""
        found = []
        for norms in self.norms:
            places = np.flatnonzero(norms)
            logs = np.log10(norms[places])
            slope, intercept = np.polyfit(places, logs, 1)
            rest = logs - slope * places - intercept
            found.append((float(slope), float(intercept), 1 - float(rest.var() / logs.var())))
        return found


@dataclass(frozen=True)
class Control:
    """A network trained with as many modules in a step as make its paths the effective ones.

    Attributes:
        found: About the network that was trained with all of them.
        branches: Modules in a step, drawn anew for each; their paths are half as long on average.
        whole: Test error of each seed, trained with all modules.
        drawn: The same, trained with the drawn ones.
    """

    found: Found
    branches: int
    whole: list[float]
    drawn: list[float]


def _normalized(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return values / values.sum(axis=-1, keepdims=True)


def paths(
    training: Training,
    seeds: Sequence[int],
    images: int,
    runs: Path,
    out: Path,
    data_dir: Path | None = None,
    *,
    control: Training | None = None,
) -> dict[str, Any]:
    """Count the paths through a residual network, and measure the gradient along some of them.

    Finished trainings and what was found about them are kept, so that the study resumes.

    Args:
        training: What to train; its seed is replaced.
        seeds: One training each.
        images: Of the training split; each gives one path of every length.
        runs: Folder of the run folders.
        out: Folder of the record and its figure, named after the network and the data.
        data_dir: Where the data set may lie.
        control: Also train this network with the effective paths alone, by drawing for each step as
            many modules as make paths of their mean length.

    Returns:
        The record.

    Raises:
        Error: A network lets no gradient through.
    """
    trainings = [training, control] if control else [training]
    seeds, failed = training_runs.train_all(trainings, seeds, runs, data_dir)
    finished = training_runs.finished(training, seeds, runs)
    found = _found(training.network, finished, images, data_dir)
    controlled = _control(control, seeds, images, runs, data_dir) if control else None
    return write_record(
        out / f"paths_{training_runs.name(training)}.json",
        "study",
        "paths",
        claims(found, controlled),
        seeds=seeds,
        budget={
            "images": images,
            "epochs": training.recipe.epochs,
            "train_images": finished[0].metrics["num_train_images"],
        },
        details=_document(found) | {"control": controlled and _of_control(controlled)},
        figure=_figure(found),
        failed=failed,
    )


def _control(
    training: Training, seeds: Sequence[int], images: int, runs: Path, data_dir: Path | None
) -> Control:
    whole = training_runs.finished(training, seeds, runs)
    found = _found(training.network, whole, images, data_dir)
    branches = min(max(round(2 * float(np.mean(found.lengths))), 1), found.modules)
    drawn = training_runs.train_each(
        replace(training, options={**training.options, "branches": branches}),
        seeds,
        runs,
        data_dir,
        variant=f"branches{branches}",
    )
    errors = [[1 - run.metrics["test"]["accuracy"] for run in each] for each in (whole, drawn)]
    return Control(found, branches, *errors)


def _found(network: str, runs: Sequence[Run], images: int, data_dir: Path | None) -> Found:
    dataset = runs[0].load(data_dir)
    magnitudes = [
        kept(run, "paths", {"images": images}, partial(_measure, run, dataset, images))
        for run in runs
    ]
    found = Found(network, np.array(magnitudes))
    if not found.magnitudes.any(axis=-1).all():
        raise Error(
            f"No gradient comes back through {network} with one of its seeds: train it with a "
            "lower --learning-rate."
        )
    return found


def _measure(run: Run, dataset: Dataset, images: int) -> list[list[float]]:
    """Return the mean norms by length of one half of the images and of the other."""
    seed = run.config["seed"]
    train = run.prepare(dataset).train
    some = train.sample(images, seed)
    model = run.model()
    chain = cut(keras.Model(model.input, model.get_layer("logits").output, name=model.name))
    norms = magnitudes(chain, run.preprocessing(some.images), some.labels, seed)
    return [norms[half::2].mean(axis=0).tolist() for half in (0, 1)]


def claims(found: Found, control: Control | None = None) -> list[Claim]:
    """Return what the paper says of paths and their gradients, each with what was found."""
    modules, half = found.modules, found.modules / 2
    all_low, all_high = central(found.paths, MASS)
    low, high = found.effective
    few = float(found.paths[low : high + 1].sum())
    slopes, _, explained = zip(*found.lines(), strict=True)
    factor = geometric_mean([10**slope for slope in slopes])
    straight, length, held = mean(explained), mean(found.lengths), found.held()
    paper = [
        Claim(
            f"the {2**modules:,} paths through {found.network} are {half:g} of its {modules} "
            f"modules long on average, and {MASS:.0%} of them {all_low} to {all_high}",
            bool(np.isclose(found.paths @ np.arange(modules + 1), half)),
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
            f"{STRAIGHT:.0%} of the variance of its logarithm",
            straight.value >= STRAIGHT,
            *straight,
        ),
        Claim(
            "the paths that the gradient comes along are shorter on average than half of the "
            f"modules, which is {half:g}",
            length.below(half),
            *length,
        ),
        Claim(
            f"the effective paths, which {MASS:.0%} of the gradient comes along, are {low} to "
            f"{high} modules long: none is longer than half of the modules",
            high <= half,
            high,
            (low, high),
        ),
        Claim(f"the effective paths are fewer than {FEW:.0%} of all paths", few < FEW, few),
        Claim(
            f"effective paths found with half of the images hold {HELD:.0%} of the other half's "
            "gradient",
            min(held) >= HELD,
            min(held),
            (min(held), max(held)),
        ),
    ]
    return [*paper, *([_control_claim(control)] if control else [])]


def _control_claim(control: Control) -> Claim:
    more = difference(control.drawn, control.whole)
    return Claim(
        f"{control.found.network} trained with {control.branches} of its {control.found.modules} "
        f"modules in a step, whose paths are {control.branches / 2:g} long on average as the "
        f"effective ones, errs at most {CLOSE_POINTS:g} point more than trained with all",
        more.below(CLOSE_POINTS / 100),
        *more,
    )


def _of_control(control: Control) -> dict[str, Any]:
    return {
        **_document(control.found),
        "branches": control.branches,
        "errors": {"whole": control.whole, "drawn": control.drawn},
    }


def _document(found: Found) -> dict[str, Any]:
    low, high = found.effective
    return {
        "network": found.network,
        "modules": found.modules,
        "effective": {"mass": MASS, "shortest": low, "longest": high},
        "lengths": [
            {"length": length, "paths": count, "norm": norm, "gradient": share}
            for length, (count, norm, share) in enumerate(
                zip(
                    counts(found.modules),
                    found.norms.mean(axis=0).tolist(),
                    found.shares.mean(axis=0).tolist(),
                    strict=True,
                )
            )
        ],
        "norms": found.norms.tolist(),
        "mean_lengths": found.lengths,
    }


def _figure(found: Found) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.6), layout="constrained")
    figure.suptitle(f"Paths through {found.network}, by the number of modules that they go through")
    places = np.arange(found.modules + 1)
    number, norm, share = figure.subplots(1, 3)

    number.bar(places, counts(found.modules))
    number.set_title("a: how many there are", fontsize="medium")
    number.set_ylabel("paths")

    for norms in found.norms:
        norm.plot(places, norms, "o", color="C0", alpha=0.5, markersize=4)
    slope, intercept = np.mean([line[:2] for line in found.lines()], axis=0)
    label = f"×{10**slope:.2g} a module"
    norm.plot(places, 10 ** (intercept + slope * places), color="C1", label=label)
    norm.set_yscale("log")
    norm.set_title("b: gradient along one", fontsize="medium")
    norm.set_ylabel("norm of the gradient, each seed")
    norm.legend(fontsize="small")

    low, high = found.effective
    share.axvspan(
        low - 0.5, high + 0.5, color="C1", alpha=0.15, label=f"effective: {low} to {high}"
    )
    share.bar(places, 100 * found.shares.mean(axis=0), label="of the gradient")
    share.plot(places, 100 * found.paths, "k--", linewidth=1, label="of the paths")
    share.set_title("c: gradient along all of them", fontsize="medium")
    share.set_ylabel("share, %")
    share.margins(y=0.35)  # room for the legend
    share.legend(fontsize="small")
    for axes in (number, norm, share):
        axes.set_xlabel("modules")
    return figure
