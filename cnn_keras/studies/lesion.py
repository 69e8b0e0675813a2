"""Measure the error of residual and of plain networks after modules are deleted.

Modules are deleted from the trained network without further training. The cost of a deletion is the
error that it adds. The relative cost is that increase as a fraction of the gap between the intact
network's error and chance, the error of guessing.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 3 and 5a.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.loading.image_files import AnySplit
from ..errors import Error
from ..experiments import training_runs
from ..experiments.cache import cached_result
from ..experiments.estimates import (
    Estimate,
    difference,
    largest_step_share,
    mean,
    rank_correlation,
    smallest_step,
    wilson,
)
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
from ..inspection.surgery import (
    ModularNetwork,
    Variant,
    error_rates,
    split_into_modules,
    variant_outputs,
)
from ..training.config import Training
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIMED_IMAGES, TIMED_ROUNDS = 64, 5


@dataclass(frozen=True)
class Lesions:
    """Errors of one network, trained with several seeds, after modules are deleted.

    Attributes:
        network: Row of the zoo.
        images: Number of test images behind the errors.
        rows: Names of its modules, in order.
        changes_shape: Whether each module's output has another shape than its input.
        residual: Whether its modules have shortcuts.
        chance: Error of guessing.
        intact: Error of each seed's network.
        single: Error without each module, `(seeds, modules)`.
        several: Error without 1, 2, ... modules, `(seeds, counts, draws)`: in each draw they are
            deleted one after the other in a random order. Empty for plain networks.
        seconds: Time of the deletions in a residual network, `(rounds, 2)`: each network computed
            separately, and with shared computation before the deleted module.
    """

    network: str
    images: int
    rows: list[str]
    changes_shape: NDArray[np.bool_]
    residual: bool
    chance: float
    intact: NDArray[np.float64]
    single: NDArray[np.float64]
    several: NDArray[np.float64]
    seconds: list[tuple[float, float]]

    @property
    def costs(self) -> NDArray[np.float64]:
        """Error that each deletion adds, `(seeds, modules)`."""
        return self.single - self.intact[:, None]

    @property
    def relative_costs(self) -> NDArray[np.float64]:
        """Costs as fractions of the gap between the intact error and chance."""
        return self.costs / (self.chance - self.intact[:, None])

    @property
    def curves(self) -> NDArray[np.float64]:
        """Mean error over draws by the number of modules deleted, from 0, `(seeds, counts + 1)`."""
        return np.concatenate([self.intact[:, None], self.several.mean(axis=2)], axis=1)


def lesion(
    trainings: Sequence[tuple[Training, Sequence[int]]],
    workspace: Workspace,
    *,
    test_images: int | None = None,
    count: int = 10,
    draws: int = 5,
) -> dict[str, Any]:
    """Delete modules of trained networks, and record the errors.

    Finished runs are skipped, and their results are cached.

    Args:
        trainings: Training and seeds of each network.
        workspace: Where to train and to write; the record is named after the first
            network and the data.
        test_images: Evaluate on a stratified sample of the test split; on all of it by default.
        count: Delete up to this many modules of a residual network together.
        draws: Number of random orders in which the modules are deleted.

    Returns:
        The record.

    Raises:
        UsageError: A network cannot be cut into modules, or a run folder holds another training.
        Error: A network is no better than chance.
    """
    measured, failed = [], []
    for training, wanted in trainings:
        seeds, failures = training_runs.train_all([training], wanted, workspace)
        failed += failures
        finished = training_runs.finished_runs(training, seeds, workspace.runs)
        test = finished[0].test_split(test_images, workspace.data_dir)
        measured.append(_lesions(training.network, finished, test, count, draws))
        if (measured[-1].intact >= measured[-1].chance).any():
            raise Error(
                f"{training.network} is no better than chance with one of its seeds, so that "
                "deletions have no measurable cost: train it longer, or with a lower "
                "--learning-rate."
            )
    return workspace.write_record(
        f"lesion_{training_runs.run_name(trainings[0][0])}",
        "lesion",
        claims(measured),
        seeds=sorted({seed for _, seeds in trainings for seed in seeds}),
        budget={
            "test_images": measured[0].images,
            "draws": draws,
            "trainings": {
                training.network: training_runs.budget(training) | {"seeds": list(seeds)}
                for training, seeds in trainings
            },
        },
        details={"networks": {lesions.network: _document(lesions) for lesions in measured}},
        figure=_figure(measured),
        failed=failed,
    )


def _lesions(network: str, runs: Sequence[Run], test: AnySplit, count: int, draws: int) -> Lesions:
    measured = [_measure(run, test, count, draws) for run in runs]
    first = measured[0]
    return Lesions(
        network,
        images=len(test.labels),
        rows=first["rows"],
        changes_shape=np.array(first["changes_shape"]),
        residual=first["residual"],
        chance=1 - 1 / len(runs[0].classes),
        intact=np.array([each["intact"] for each in measured]),
        single=np.array([each["errors"] for each in measured]),
        several=np.array([each["several"] for each in measured]),
        seconds=_measure_seconds(runs[0], test) if first["residual"] else [],
    )


def _measure(run: Run, test: AnySplit, count: int, draws: int) -> dict[str, Any]:
    """Return the errors of a run's network without one module and without several, cached."""

    @cache
    def network() -> ModularNetwork:
        return split_into_modules(run.model())

    def single() -> dict[str, Any]:
        indices = range(len(network().modules))
        variants = [network().without(), *(network().without([index]) for index in indices)]
        intact, *rest = error_rates(variants, run.preprocessing, test)
        return {
            "rows": [module.row for module in network().modules],
            "changes_shape": [module.changes_shape for module in network().modules],
            "residual": network().modules[0].residual,
            "intact": intact,
            "errors": rest,
        }

    def several() -> dict[str, Any]:
        modules = len(network().modules)
        rng = np.random.default_rng(run.config["seed"])
        drawn = [rng.permutation(modules).tolist() for _ in range(draws)]
        deleted = [
            [sorted(order[:size]) for order in drawn] for size in range(1, min(count, modules) + 1)
        ]
        variants = [network().without(indices) for choices in deleted for indices in choices]
        by_size = np.reshape(error_rates(variants, run.preprocessing, test), (-1, draws))
        return {"deleted": deleted, "errors": by_size.tolist()}

    settings = {"test_images": len(test.labels)}
    measured = cached_result(run, "lesion_single", settings, single)
    if not measured["residual"]:
        return measured | {"several": []}
    settings |= {"count": count, "draws": draws}
    return measured | {"several": cached_result(run, "lesion_several", settings, several)["errors"]}


def _measure_seconds(run: Run, test: AnySplit) -> list[tuple[float, float]]:
    """Time the deletion of each module, separately and with shared computation; cached."""

    def measure() -> list[tuple[float, float]]:
        network = split_into_modules(run.model())
        variants = [network.without([index]) for index in range(len(network.modules))]
        images = run.preprocessing(test.sample(TIMED_IMAGES).read())

        def seconds(groups: Sequence[Sequence[Variant]]) -> float:
            began = time.perf_counter()
            for group in groups:
                list(variant_outputs(group, images))
            return time.perf_counter() - began

        separate, shared = [[variant] for variant in variants], [variants]
        seconds(shared)  # compiles every piece
        return [(seconds(separate), seconds(shared)) for _ in range(TIMED_ROUNDS)]

    return cached_result(
        run, "lesion_seconds", {"images": TIMED_IMAGES, "rounds": TIMED_ROUNDS}, measure
    )


def claims(measured: Sequence[Lesions]) -> list[Claim]:
    """Return the claims about networks; residual networks are compared with plain ones."""
    by_name = {lesions.network: lesions for lesions in measured}
    made = []
    for lesions in measured:
        if not lesions.residual:
            made.append(_collapse_claim(lesions))
            continue
        plain = by_name.get(lesions.network.replace("resnet", "plain"))
        if plain is not None and not plain.residual:
            made += _plain_claims(lesions, plain)
        made += _residual_claims(lesions)
    return made


def _plain_claims(lesions: Lesions, plain: Lesions) -> list[Claim]:
    """Compare the layers of a plain network with the modules of the residual one.

    Costs are relative, because a plain network may be close to chance before a deletion. One claim
    leaves out the first module, which adds to a stem of one convolution.
    """
    smallest = plain.relative_costs.min(axis=1).tolist()
    keeping = ~lesions.changes_shape
    later = keeping & (np.arange(len(keeping)) > 0)
    made = []
    for chosen, which in ((keeping, "module"), (later, "later module")):
        if not chosen.any():
            continue  # the network has one module in each stage
        more = difference(smallest, lesions.relative_costs[:, chosen].max(axis=1).tolist())
        made.append(
            Claim(
                f"deleting any single layer of {plain.network} costs more than deleting the "
                f"costliest {which} of {lesions.network} that keeps the shape (difference of the "
                "fractions of the gap between a network's error and chance)",
                more.above(0),
                *more,
            )
        )
    return made


def _residual_claims(lesions: Lesions) -> list[Claim]:
    """Claim that one deletion costs a residual network little, and more cost more and more."""
    name, costs, changed = lesions.network, lesions.costs, lesions.changes_shape
    median = mean(np.median(lesions.relative_costs[:, ~changed], axis=1).tolist())
    down = difference(
        costs[:, changed].mean(axis=1).tolist(), costs[:, ~changed].mean(axis=1).tolist()
    )
    seeds, counts, draws = lesions.several.shape
    deleted = np.repeat(np.arange(1.0, counts + 1), draws)
    correlation = rank_correlation(deleted, lesions.several.reshape(seeds, -1))
    smallest, largest = smallest_step(lesions.curves), largest_step_share(lesions.curves)
    time_ratio = mean([shared / separate for separate, shared in lesions.seconds])
    return [
        Claim(
            f"deleting a module of {name} that keeps the shape costs, in the median, less than a "
            "tenth of the gap between its error and chance (fraction of the gap)",
            median.below(0.1),
            *median,
        ),
        Claim(
            f"the down-sampling modules of {name} cost more than the others "
            "(difference of mean errors)",
            down.above(0),
            *down,
        ),
        Claim(
            f"the error of {name} grows with the number of deleted modules "
            "(Spearman's correlation of error and number)",
            correlation.above(0),
            *correlation,
        ),
        Claim(
            f"the error of {name} rises with each of up to {counts} modules deleted at random, "
            "mean of seeds and draws (smallest step)",
            smallest.value > 0,
            *smallest,
        ),
        Claim(
            f"the error of {name} rises smoothly: none of up to {counts} modules deleted at random "
            "makes a third of the rise (largest step as a share of the rise)",
            largest.below(1 / 3),
            *largest,
        ),
        Claim(
            "sharing the computation before the deleted module takes less than 0.6 of the time, "
            f"for the {len(lesions.rows)} modules of {name} (ratio; the interval is over rounds)",
            time_ratio.below(0.6),
            *time_ratio,
        ),
    ]


def _collapse_claim(lesions: Lesions) -> Claim:
    """Claim that a plain network does not survive the deletion of any layer."""
    smallest = mean(lesions.relative_costs.min(axis=1).tolist())
    if smallest.interval is None:
        low, high = wilson(float(lesions.single.min()), lesions.images)
        intact = float(lesions.intact[0])
        gap = lesions.chance - intact
        smallest = Estimate(smallest.value, ((low - intact) / gap, (high - intact) / gap))
    return Claim(
        f"deleting any single layer of {lesions.network} costs at least nine tenths of the gap "
        "between its error and chance (fraction of the gap)",
        smallest.above(0.9),
        *smallest,
    )


def _document(lesions: Lesions) -> dict[str, Any]:
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in vars(lesions).items()
        if key not in ("network", "images")
    }


def _figure(measured: Sequence[Lesions]) -> Figure:
    from matplotlib.figure import Figure

    residual = [lesions for lesions in measured if lesions.residual]
    figure = Figure(figsize=(11, 7 if residual else 3.5), layout="constrained")
    above, *below = figure.subfigures(1 + bool(residual), 1, squeeze=False)[:, 0]
    above.suptitle("One module or layer deleted")
    widths = [len(lesions.rows) + 8 for lesions in measured]
    panels = above.subplots(1, len(measured), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, lesions in zip(panels, measured, strict=True):
        _draw_single(axes, lesions)
    panels[0].set_ylabel("test error")
    panels[0].legend(fontsize="small")
    above.supxlabel("deleted module or layer, by stage", fontsize="medium")
    for part in below:
        part.suptitle("Several modules deleted at random")
        _draw_several(part.subplots(), residual)
    return figure


def _draw_single(axes: Axes, lesions: Lesions) -> None:
    """Draw the error without each module, mean and range over seeds."""
    indices, means = np.arange(len(lesions.rows)), lesions.single.mean(axis=0)
    changed = lesions.changes_shape
    axes.fill_between(
        indices, lesions.single.min(axis=0), lesions.single.max(axis=0), alpha=0.25, linewidth=0
    )
    axes.plot(indices, means, "o-", markersize=3, linewidth=0.8, label="after deletion")
    axes.plot(indices[changed], means[changed], "D", color="C3", label="changes the shape")
    axes.axhline(lesions.intact.mean(), color="0.3", linestyle="--", label="intact")
    axes.axhline(lesions.chance, color="0.6", linestyle=":", label="chance")
    stages = [row.partition("_")[0] for row in lesions.rows]
    centers = {stage: stages.index(stage) + (stages.count(stage) - 1) / 2 for stage in stages}
    axes.set_xticks([*centers.values()], [stage.removeprefix("conv") for stage in centers])
    axes.set_ylim(0, 1)
    axes.set_title(
        f"{lesions.network}, {len(indices)} {'modules' if lesions.residual else 'layers'}"
    )


def _draw_several(axes: Axes, measured: Sequence[Lesions]) -> None:
    """Draw the error by the number of deleted modules: draws, mean and range over seeds."""
    for index, lesions in enumerate(measured):
        color = f"C{index}"
        counts = np.arange(lesions.curves.shape[1])
        dots = lesions.several.swapaxes(0, 1).reshape(len(counts) - 1, -1)
        axes.plot(counts[1:], dots, ".", color=color, alpha=0.35, markersize=4)
        axes.plot(counts, lesions.curves.mean(axis=0), "o-", color=color, label=lesions.network)
        axes.fill_between(
            counts,
            lesions.curves.min(axis=0),
            lesions.curves.max(axis=0),
            color=color,
            alpha=0.2,
            linewidth=0,
        )
        axes.axhline(lesions.chance, color="0.6", linestyle=":")
    axes.set_xlabel("modules deleted")
    axes.set_ylabel("test error")
    axes.set_ylim(0, 1)
    axes.legend(loc="lower right", fontsize="small")
