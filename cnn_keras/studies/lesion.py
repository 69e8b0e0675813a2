"""What deleting modules after training costs, of residual networks and of plain ones.

A network is cut up and put together without some of its modules; nothing is trained again. What a
deletion costs is also said as a share of the way from the intact network's error to that of
guessing, at which a network has lost all it knew.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 3 and 5a.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..data.splits import Split
from ..errors import Error
from ..experiments import training_runs
from ..experiments.cache import kept
from ..experiments.estimates import (
    Estimate,
    difference,
    greatest_share,
    least_step,
    mean,
    rank_correlation,
)
from ..experiments.record import Claim, write_record
from ..inspection.surgery import Chain, Plan, cut, errors, outputs
from ..training.config import Training
from ..training.evaluate import wilson
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TIMED_IMAGES, TIMED_ROUNDS = 64, 5


@dataclass(frozen=True)
class Lesions:
    """What deletions do to the trainings of one network.

    Attributes:
        network: Row of the zoo.
        images: How many it was judged by.
        rows: Of its modules, in order.
        changes_shape: Of each module, whether it puts out another shape than it gets.
        residual: Whether its modules have shortcuts.
        chance: Error of guessing.
        intact: Error of each seed's network.
        single: Error without each module, `(seeds, modules)`.
        several: Error without 1, 2, ... modules, `(seeds, counts, draws)`: each draw is a random
            order in which they go one after the other. Of plain networks none.
        seconds: Of a residual network's deletions, `(rounds, 2)`: each network by itself, and with
            shared beginnings.
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
    def shares(self) -> NDArray[np.float64]:
        """The same as a share of the way to guessing."""
        return self.costs / (self.chance - self.intact[:, None])

    @property
    def curves(self) -> NDArray[np.float64]:
        """Mean error over draws by the number of modules deleted, from 0, `(seeds, counts + 1)`."""
        return np.concatenate([self.intact[:, None], self.several.mean(axis=2)], axis=1)


def lesion(
    trainings: Sequence[tuple[Training, Sequence[int]]],
    runs: Path,
    out: Path,
    *,
    test_images: int | None = None,
    count: int = 10,
    draws: int = 5,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Delete modules of trained networks, and record what it costs.

    Finished trainings and what was found about them are kept, so that the study resumes.

    Args:
        trainings: What to train, and with which seeds.
        runs: Folder of the run folders.
        out: Folder of the record and its figure, named after the first network and the data.
        test_images: Judge by this many images of the test split, stratified; all by default.
        count: Delete up to this many modules of a residual network together, or all.
        draws: Random orders in which they go.
        data_dir: Where the data set may lie.

    Returns:
        The record.

    Raises:
        UsageError: A network cannot be cut into modules, or a run folder holds another training.
        Error: A network is no better than guessing, so that nothing can be lost.
    """
    found, failed = [], []
    for training, wanted in trainings:
        seeds, others = training_runs.train_all([training], wanted, runs, data_dir)
        failed += others
        finished = training_runs.finished(training, seeds, runs)
        test = finished[0].test(test_images, data_dir)
        found.append(_lesions(training.network, finished, test, count, draws))
        if (found[-1].intact >= found[-1].chance).any():
            raise Error(
                f"{training.network} is no better than guessing with one of its seeds, so that a "
                "deletion can cost nothing: train it longer, or at a lower rate."
            )
    return write_record(
        out / f"lesion_{training_runs.name(trainings[0][0])}.json",
        "study",
        "lesion",
        claims(found),
        seeds=sorted({seed for _, seeds in trainings for seed in seeds}),
        budget={
            "test_images": found[0].images,
            "draws": draws,
            "trainings": {
                training.network: training_runs.budget(training) | {"seeds": list(seeds)}
                for training, seeds in trainings
            },
        },
        details={"networks": {lesions.network: _document(lesions) for lesions in found}},
        figure=_figure(found),
        failed=failed,
    )


def _lesions(network: str, runs: Sequence[Run], test: Split, count: int, draws: int) -> Lesions:
    found = [_lesions_of(run, test, count, draws) for run in runs]
    first = found[0]
    return Lesions(
        network,
        images=len(test.labels),
        rows=first["rows"],
        changes_shape=np.array(first["changes_shape"]),
        residual=first["residual"],
        chance=1 - 1 / len(runs[0].classes),
        intact=np.array([each["intact"] for each in found]),
        single=np.array([each["errors"] for each in found]),
        several=np.array([each["several"] for each in found]),
        seconds=_kept_seconds(runs[0], test) if first["residual"] else [],
    )


def _lesions_of(run: Run, test: Split, count: int, draws: int) -> dict[str, Any]:
    """Return what a run keeps of its lesions, or find it."""

    @cache
    def chain() -> Chain:
        return cut(run.model())

    def single() -> dict[str, Any]:
        places = range(len(chain().modules))
        plans = [chain().without(), *(chain().without([place]) for place in places)]
        intact, *rest = errors(plans, run.preprocessing, test)
        return {
            "rows": [module.row for module in chain().modules],
            "changes_shape": [module.changes_shape for module in chain().modules],
            "residual": chain().modules[0].residual,
            "intact": intact,
            "errors": rest,
        }

    def several() -> dict[str, Any]:
        modules = len(chain().modules)
        rng = np.random.default_rng(run.config["seed"])
        drawn = [rng.permutation(modules).tolist() for _ in range(draws)]
        deleted = [
            [sorted(order[:size]) for order in drawn] for size in range(1, min(count, modules) + 1)
        ]
        plans = [chain().without(places) for choices in deleted for places in choices]
        found = np.reshape(errors(plans, run.preprocessing, test), (-1, draws))
        return {"deleted": deleted, "errors": found.tolist()}

    asked = {"test_images": len(test.labels)}
    found = kept(run, "lesion_single", asked, single)
    if not found["residual"]:
        return found | {"several": []}
    drawn = kept(run, "lesion_several", asked | {"count": count, "draws": draws}, several)
    return found | {"several": drawn["errors"]}


def _kept_seconds(run: Run, test: Split) -> list[tuple[float, float]]:
    """Return the seconds of deleting each module, one by one and with shared beginnings."""

    def measure() -> list[tuple[float, float]]:
        chain = cut(run.model())
        plans = [chain.without([place]) for place in range(len(chain.modules))]
        images = run.preprocessing(test.sample(TIMED_IMAGES).images)

        def seconds(groups: Sequence[Sequence[Plan]]) -> float:
            began = time.perf_counter()
            for group in groups:
                list(outputs(group, images))
            return time.perf_counter() - began

        ways = [[plan] for plan in plans], [plans]
        seconds(ways[1])  # compiles every piece
        return [(seconds(ways[0]), seconds(ways[1])) for _ in range(TIMED_ROUNDS)]

    return kept(run, "lesion_seconds", {"images": TIMED_IMAGES, "rounds": TIMED_ROUNDS}, measure)


def claims(found: Sequence[Lesions]) -> list[Claim]:
    """Return what is claimed about networks, of residual ones also beside their plain twins."""
    by_name = {lesions.network: lesions for lesions in found}
    made = []
    for lesions in found:
        if not lesions.residual:
            made.append(_collapse(lesions))
            continue
        plain = by_name.get(lesions.network.replace("resnet", "plain"))
        if plain is not None and not plain.residual:
            made += _twins(lesions, plain)
        made += _smooth(lesions)
    return made


def _twins(lesions: Lesions, plain: Lesions) -> list[Claim]:
    """Say whether every layer of the plain twin matters more than any module that keeps shape.

    By shares of the way to guessing, for a plain network may have little left to lose; and also
    without the first module, which does what the stem of one convolution leaves undone.
    """
    least = plain.shares.min(axis=1).tolist()
    keeping = ~lesions.changes_shape
    later = keeping & (np.arange(len(keeping)) > 0)
    made = []
    for chosen, which in ((keeping, "module"), (later, "later module")):
        if not chosen.any():
            continue  # of a network with a module a stage
        more = difference(least, lesions.shares[:, chosen].max(axis=1).tolist())
        made.append(
            Claim(
                f"deleting any single layer of {plain.network} costs more than deleting the "
                f"costliest {which} of {lesions.network} that keeps the shape (difference of "
                "shares of the way from a network's error to that of guessing)",
                more.above(0),
                *more,
            )
        )
    return made


def _smooth(lesions: Lesions) -> list[Claim]:
    """Say whether a residual network loses little by one deletion, and little by little by more."""
    name, costs, changed = lesions.network, lesions.costs, lesions.changes_shape
    little = mean(np.median(lesions.shares[:, ~changed], axis=1).tolist())
    down = difference(
        costs[:, changed].mean(axis=1).tolist(), costs[:, ~changed].mean(axis=1).tolist()
    )
    seeds, counts, draws = lesions.several.shape
    deleted = np.repeat(np.arange(1.0, counts + 1), draws)
    along = rank_correlation(deleted, lesions.several.reshape(seeds, -1))
    least, most = least_step(lesions.curves), greatest_share(lesions.curves)
    together = f"{counts} modules of {name} deleted at random"
    shared = mean([shared / alone for alone, shared in lesions.seconds])
    return [
        Claim(
            f"deleting one module of {name} that keeps the shape takes it, in the median, less "
            "than a tenth of the way from its error to that of guessing (share of the way)",
            little.below(0.1),
            *little,
        ),
        Claim(
            f"the down-sampling modules of {name} cost more than the others "
            "(difference of mean errors)",
            down.above(0),
            *down,
        ),
        Claim(
            f"the more modules of {name} are deleted, the greater is the error "
            "(Spearman's correlation of error and number)",
            along.above(0),
            *along,
        ),
        Claim(
            f"the error rises with each of 1 to {together}, mean of seeds and draws "
            "(the least step)",
            least.value > 0,
            *least,
        ),
        Claim(
            f"it rises smoothly: none of 1 to {together} makes a third of the rise "
            "(the greatest step as a share of it)",
            most.below(1 / 3),
            *most,
        ),
        Claim(
            f"sharing what comes before the deleted module takes less than 0.6 of the time, for "
            f"the {len(lesions.rows)} modules of {name} (ratio; the interval is over rounds)",
            shared.below(0.6),
            *shared,
        ),
    ]


def _collapse(lesions: Lesions) -> Claim:
    """Say whether a plain network survives the deletion of any layer."""
    least = mean(lesions.shares.min(axis=1).tolist())
    if least.interval is None:
        low, high = wilson(float(lesions.single.min()), lesions.images)
        start = float(lesions.intact[0])
        way = lesions.chance - start
        least = Estimate(least.value, ((low - start) / way, (high - start) / way))
    return Claim(
        f"deleting any single layer of {lesions.network} takes it at least nine tenths of the way "
        "from its error to that of guessing (share of the way)",
        least.above(0.9),
        *least,
    )


def _document(lesions: Lesions) -> dict[str, Any]:
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in vars(lesions).items()
        if key not in ("network", "images")
    }


def _figure(found: Sequence[Lesions]) -> Figure:
    from matplotlib.figure import Figure

    residual = [lesions for lesions in found if lesions.residual]
    figure = Figure(figsize=(11, 7 if residual else 3.5), layout="constrained")
    above, *below = figure.subfigures(1 + bool(residual), 1, squeeze=False)[:, 0]
    above.suptitle("One module or layer deleted")
    widths = [len(lesions.rows) + 8 for lesions in found]
    panels = above.subplots(1, len(found), sharey=True, squeeze=False, width_ratios=widths)[0]
    for axes, lesions in zip(panels, found, strict=True):
        _draw_single(axes, lesions)
    panels[0].set_ylabel("test error")
    panels[0].legend(fontsize="small")
    above.supxlabel("what is deleted, by stage", fontsize="medium")
    for part in below:
        part.suptitle("Several modules deleted at random")
        _draw_several(part.subplots(), residual)
    return figure


def _draw_single(axes: Axes, lesions: Lesions) -> None:
    """Draw the error without each module, mean and range of the seeds."""
    places, middle = np.arange(len(lesions.rows)), lesions.single.mean(axis=0)
    changed = lesions.changes_shape
    axes.fill_between(
        places, lesions.single.min(axis=0), lesions.single.max(axis=0), alpha=0.25, linewidth=0
    )
    axes.plot(places, middle, "o-", markersize=3, linewidth=0.8, label="without it")
    axes.plot(places[changed], middle[changed], "D", color="C3", label="it changes the shape")
    axes.axhline(lesions.intact.mean(), color="0.3", linestyle="--", label="intact")
    axes.axhline(lesions.chance, color="0.6", linestyle=":", label="guessing")
    stages = [row.partition("_")[0] for row in lesions.rows]
    middles = {stage: stages.index(stage) + (stages.count(stage) - 1) / 2 for stage in stages}
    axes.set_xticks([*middles.values()], [stage.removeprefix("conv") for stage in middles])
    axes.set_ylim(0, 1)
    axes.set_title(
        f"{lesions.network}, {len(places)} {'modules' if lesions.residual else 'layers'}"
    )


def _draw_several(axes: Axes, found: Sequence[Lesions]) -> None:
    """Draw the error by how many modules are deleted: draws as dots, mean and range of seeds."""
    for number, lesions in enumerate(found):
        color = f"C{number}"
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
