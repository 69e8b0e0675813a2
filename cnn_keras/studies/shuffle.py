"""What exchanging modules of a trained residual network costs.

Modules of one shape change places within their stage, two at a time; nothing is trained again. How
far that goes is measured by Kendall's tau of the new order with the old: 1 where nothing moved, and
less by every pair of modules that have passed each other.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 5b.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.splits import Split
from ..errors import UsageError
from ..experiments import training_runs
from ..experiments.cache import kept
from ..experiments.estimates import greatest_share, least_step, rank_correlation
from ..experiments.record import Claim, write_record
from ..inspection.surgery import cut, errors
from ..training.config import Training
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPS = 5  # of orders, by tau

ORDER_SEED = 0  # every network is shuffled in the same ways


class Shuffles(NamedTuple):
    """What other orders do to the trainings of one network.

    Attributes:
        taus: Kendall's tau of each order with the network's own, `(orders,)`.
        intact: Error of each seed's network, `(seeds,)`.
        errors: In each order, `(seeds, orders)`.
    """

    taus: NDArray[np.float64]
    intact: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def groups(self) -> list[NDArray[np.int64]]:
        """Places of the orders in groups of one size, by falling tau."""
        ranked = np.argsort(-self.taus, kind="stable")
        return np.array_split(ranked, min(GROUPS, len(ranked)))

    @property
    def curves(self) -> NDArray[np.float64]:
        """Mean error by group, after the intact network's, `(seeds, groups + 1)`."""
        means = [self.errors[:, group].mean(axis=1) for group in self.groups]
        return np.stack([self.intact, *means], axis=1)


def tau(order: Sequence[int]) -> float:
    """Return Kendall's tau of an order with the rising one.

    Example:
        >>> tau([0, 1, 2, 3]), tau([3, 2, 1, 0])
        (1.0, -1.0)
    """
    from scipy.stats import kendalltau

    return float(kendalltau(range(len(order)), order).statistic)


def orders(
    modules: int, groups: Sequence[Sequence[int]], count: int, draws: int
) -> list[list[int]]:
    """Exchange pairs of modules drawn at random, one after the other.

    Args:
        modules: How many there are.
        groups: Places that may be exchanged with each other, such as `Chain.exchangeable`.
        count: How many exchanges.
        draws: How often to begin anew.

    Returns:
        An order after each exchange, draw by draw: the places that modules are taken from.
    """
    rng = np.random.default_rng(ORDER_SEED)
    pairs = [(a, b) for group in groups for a in group for b in group if a < b]
    drawn = []
    for _ in range(draws):
        order = list(range(modules))
        for a, b in rng.choice(pairs, count):
            order[a], order[b] = order[b], order[a]
            drawn.append(list(order))
    return drawn


def shuffle(
    training: Training,
    seeds: Sequence[int],
    runs: Path,
    out: Path,
    *,
    test_images: int | None = None,
    count: int = 10,
    draws: int = 20,
    data_dir: Path | None = None,
) -> dict[str, Any]:
    """Exchange modules of a trained residual network, and record what it costs.

    Finished trainings and what was found about them are kept, so that the study resumes.

    Args:
        training: What to train; its seed is replaced.
        seeds: One run for each.
        runs: Folder of the run folders.
        out: Folder of the record and its figure, named after the network and the data.
        test_images: Judge by this many images of the test split, stratified; all by default.
        count: Exchange so many pairs of modules, one after the other.
        draws: How often to begin anew.
        data_dir: Where the data set may lie.

    Returns:
        The record.

    Raises:
        UsageError: The network has no two modules that can be exchanged, or a run folder holds
            another training.
    """
    seeds, failed = training_runs.train_all([training], seeds, runs, data_dir)
    finished = training_runs.finished(training, seeds, runs)
    test = finished[0].test(test_images, data_dir)
    asked = {"test_images": len(test.labels), "count": count, "draws": draws}
    found = [
        kept(run, "shuffle", asked, partial(_shuffle, run, test, count, draws)) for run in finished
    ]
    shuffles = Shuffles(
        np.array([tau(order) for order in found[0]["orders"]]),
        np.array([each["intact"] for each in found]),
        np.array([each["errors"] for each in found]),
    )
    chance = 1 - 1 / len(finished[0].classes)
    return write_record(
        out / f"shuffle_{training_runs.name(training)}.json",
        "study",
        "shuffle",
        claims(training.network, shuffles),
        seeds=seeds,
        budget=training_runs.budget(training) | asked,
        details={
            "network": training.network,
            "chance": chance,
            "orders": found[0]["orders"],
            **{name: values.tolist() for name, values in shuffles._asdict().items()},
        },
        figure=_figure(training.network, seeds, shuffles, chance),
        failed=failed,
    )


def _shuffle(run: Run, test: Split, count: int, draws: int) -> dict[str, Any]:
    chain = cut(run.model())
    groups = chain.exchangeable
    if max(map(len, groups), default=0) < 2:
        raise UsageError(
            f"{run.config['network']} has no two modules of one shape: choose a deeper --network."
        )
    drawn = orders(len(chain.modules), groups, count, draws)
    plans = [chain.without(), *map(chain.reordered, drawn)]
    intact, *rest = errors(plans, run.preprocessing, test)
    return {"orders": drawn, "intact": intact, "errors": rest}


def claims(network: str, shuffles: Shuffles) -> list[Claim]:
    """Return what is claimed about a network."""
    along = rank_correlation(1 - shuffles.taus, shuffles.errors)
    curves = shuffles.curves
    least, most = least_step(curves), greatest_share(curves)
    groups = f"the {curves.shape[1] - 1} groups of orders by Kendall's tau"
    return [
        Claim(
            f"the more modules of {network} pass each other, the greater is the error "
            "(Spearman's correlation of error and 1 - tau)",
            along.above(0),
            *along,
        ),
        Claim(
            f"the error of {network} rises from the intact network through each of {groups}, mean "
            "of seeds and orders (the least step)",
            least.value > 0,
            *least,
        ),
        Claim(
            f"it rises smoothly: no step through {groups} makes half of the rise "
            "(the greatest step as a share of it)",
            most.below(0.5),
            *most,
        ),
    ]


def _figure(network: str, seeds: Sequence[int], shuffles: Shuffles, chance: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for seed, found in zip(seeds, shuffles.errors, strict=True):
        axes.plot(shuffles.taus, found, ".", alpha=0.5, label=f"seed {seed}")
    middles = [1.0, *(shuffles.taus[group].mean() for group in shuffles.groups)]
    axes.plot(middles, shuffles.curves.mean(axis=0), "o-", color="0.2", label="mean")
    axes.axhline(chance, color="0.6", linestyle=":", label="guessing")
    axes.invert_xaxis()
    axes.set_ylim(0, 1)
    axes.set_xlabel("Kendall's tau of the modules' order with the network's own")
    axes.set_ylabel("test error")
    axes.set_title(f"{network}, modules of one shape exchanged")
    axes.legend(fontsize="small")
    return figure
