"""Measure the error of a trained residual network whose modules are reordered.

Modules of the same shape are swapped within their stage, two at a time, without further training.
Kendall's tau between the new and the original order measures the change: it is 1 for the original
order, and each pair of modules in reverse order lowers it.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 5b.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..data.loading.image_files import AnySplit
from ..errors import UsageError
from ..experiments import training_runs
from ..experiments.cache import cached_result
from ..experiments.estimates import largest_step_share, rank_correlation, smallest_step
from ..experiments.record import Claim
from ..experiments.workspace import Workspace
from ..inspection.surgery import error_rates, split_into_modules
from ..training.config import Training
from ..training.run_folder import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPS = 5  # of orders, by tau

ORDER_SEED = 0  # all networks get the same orders


class Shuffles(NamedTuple):
    """Errors of one network in other orders of its modules.

    Attributes:
        taus: Kendall's tau between each order and the network's own, `(orders,)`.
        intact: Error of the network of each seed in its own order, `(seeds,)`.
        errors: Error in each order, `(seeds, orders)`.
    """

    taus: NDArray[np.float64]
    intact: NDArray[np.float64]
    errors: NDArray[np.float64]

    @property
    def groups(self) -> list[NDArray[np.int64]]:
        """Indices of the orders in groups of about equal size, by falling tau."""
        ranked = np.argsort(-self.taus, kind="stable")
        return np.array_split(ranked, min(GROUPS, len(ranked)))

    @property
    def curves(self) -> NDArray[np.float64]:
        """Error of the intact network and mean error of each group, `(seeds, groups + 1)`."""
        means = [self.errors[:, group].mean(axis=1) for group in self.groups]
        return np.stack([self.intact, *means], axis=1)


def tau(order: Sequence[int]) -> float:
    """Return Kendall's tau between an order and the ascending one.

    Example:
        >>> tau([0, 1, 2, 3]), tau([3, 2, 1, 0])
        (1.0, -1.0)
    """
    from scipy.stats import kendalltau

    return float(kendalltau(range(len(order)), order).statistic)


def orders(
    modules: int, groups: Sequence[Sequence[int]], count: int, draws: int
) -> list[list[int]]:
    """Swap random pairs of modules, one pair after the other.

    Args:
        modules: Number of modules.
        groups: Indices of modules that may be swapped with each other, such as
            `ModularNetwork.interchangeable`.
        count: Number of swaps in a sequence.
        draws: Number of sequences, each of which begins with the original order.

    Returns:
        The order after each swap, sequence by sequence: the index of the original module at each
        position.
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
    workspace: Workspace,
    *,
    test_images: int | None = None,
    count: int = 10,
    draws: int = 20,
) -> dict[str, Any]:
    """Swap modules of a trained residual network, and record the error.

    Finished runs are skipped, and their results are cached.

    Args:
        training: Training of the network; its seed is replaced.
        seeds: The network is trained once for each seed.
        workspace: Where to train and to write; the record is named after the network and the data.
        test_images: Evaluate on a stratified sample of the test split; on all of it by default.
        count: Number of swaps in a sequence.
        draws: Number of sequences.

    Returns:
        The record.

    Raises:
        UsageError: The network has no two modules that can be swapped, or a run folder holds
            another training.
    """
    seeds, failed = training_runs.train_all([training], seeds, workspace)
    finished = training_runs.finished_runs(training, seeds, workspace.runs)
    test = finished[0].test_split(test_images, workspace.data_dir)
    settings = {"test_images": len(test.labels), "count": count, "draws": draws}
    measured = [
        cached_result(run, "shuffle", settings, partial(_measure, run, test, count, draws))
        for run in finished
    ]
    shuffles = Shuffles(
        np.array([tau(order) for order in measured[0]["orders"]]),
        np.array([each["intact"] for each in measured]),
        np.array([each["errors"] for each in measured]),
    )
    chance = 1 - 1 / len(finished[0].classes)
    return workspace.write_record(
        f"shuffle_{training_runs.run_name(training)}",
        "shuffle",
        claims(training.network, shuffles),
        seeds=seeds,
        budget=training_runs.budget(training) | settings,
        details={
            "network": training.network,
            "chance": chance,
            "orders": measured[0]["orders"],
            **{name: values.tolist() for name, values in shuffles._asdict().items()},
        },
        figure=_figure(training.network, seeds, shuffles, chance),
        failed=failed,
    )


def _measure(run: Run, test: AnySplit, count: int, draws: int) -> dict[str, Any]:
    network = split_into_modules(run.model())
    groups = network.interchangeable
    if max(map(len, groups), default=0) < 2:
        raise UsageError(
            f"{run.config['network']} has no two modules of the same shape: choose a deeper "
            "--network."
        )
    drawn = orders(len(network.modules), groups, count, draws)
    variants = [network.without(), *map(network.reordered, drawn)]
    intact, *rest = error_rates(variants, run.preprocessing, test)
    return {"orders": drawn, "intact": intact, "errors": rest}


def claims(network: str, shuffles: Shuffles) -> list[Claim]:
    """Return the claims about a network."""
    correlation = rank_correlation(1 - shuffles.taus, shuffles.errors)
    curves = shuffles.curves
    smallest, largest = smallest_step(curves), largest_step_share(curves)
    groups = f"the {curves.shape[1] - 1} groups of orders by falling Kendall's tau"
    return [
        Claim(
            f"the error of {network} grows with the number of pairs of modules in reverse order "
            "(Spearman's correlation of error and 1 - tau)",
            correlation.above(0),
            *correlation,
        ),
        Claim(
            f"the error of {network} rises from the intact network through each of {groups}, mean "
            "of seeds and orders (smallest step)",
            smallest.value > 0,
            *smallest,
        ),
        Claim(
            f"the error of {network} rises smoothly: no step through {groups} makes half of the "
            "rise (largest step as a share of the rise)",
            largest.below(0.5),
            *largest,
        ),
    ]


def _figure(network: str, seeds: Sequence[int], shuffles: Shuffles, chance: float) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for seed, errors_of_seed in zip(seeds, shuffles.errors, strict=True):
        axes.plot(shuffles.taus, errors_of_seed, ".", alpha=0.5, label=f"seed {seed}")
    mean_taus = [1.0, *(shuffles.taus[group].mean() for group in shuffles.groups)]
    axes.plot(mean_taus, shuffles.curves.mean(axis=0), "o-", color="0.2", label="mean")
    axes.axhline(chance, color="0.6", linestyle=":", label="chance")
    axes.invert_xaxis()
    axes.set_ylim(0, 1)
    axes.set_xlabel("Kendall's tau between the new and the original order of the modules")
    axes.set_ylabel("test error")
    axes.set_title(f"{network}, modules of the same shape swapped")
    axes.legend(fontsize="small")
    return figure
