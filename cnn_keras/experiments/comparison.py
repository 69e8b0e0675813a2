"""Variants of a training that are compared seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..training.config import Training
from ..training.run_folder import Run
from .executors.executor import Task
from .training_runs import FailedRun, failed_runs, require_any
from .workspace import Workspace

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def train_variants(
    variants: Mapping[str, Sequence[Training]], data: str, workspace: Workspace
) -> tuple[dict[str, list[Run]], list[FailedRun]]:
    """Train all variants with one seed after the other; finished runs are skipped.

    A training that fails does not stop the others, but its seed is left out of all variants.

    Args:
        variants: The trainings of each variant by its name, in the same order of the seeds.
        data: Name of the data set in the names of the run folders, NETWORK_VARIANT_DATA_SEED.
        workspace: Where to train.

    Returns:
        The runs of each variant by its name, in the order of the seeds; and the runs that failed,
        for the record.

    Raises:
        UsageError: A run folder has a training with another configuration.
        Error: No seed succeeded for all variants.
    """
    tasks = [
        Task(
            training,
            workspace.runs / f"{training.network}_{name}_{data}_{training.seed}",
            workspace.data_dir,
        )
        for trainings in zip(*variants.values(), strict=True)
        for name, training in zip(variants, trainings, strict=True)
    ]
    results = workspace.executor.train_all(tasks)
    failed = failed_runs(results)
    finished: dict[str, list[Run]] = {name: [] for name in variants}
    for start in range(0, len(results), len(variants)):
        of_seed = results[start : start + len(variants)]
        if all(result.reason is None for result in of_seed):
            for name, result in zip(variants, of_seed, strict=True):
                finished[name].append(result.run)
    require_any(finished[next(iter(finished))], failed)
    return finished, failed


def scores(runs: Sequence[Run], name: str, split: str = "test") -> list[Any]:
    """Return a score of each run on a split, by its name in `metrics.json`."""
    return [run.metrics[split][name] for run in runs]


def draw_pairs(axes: Axes, scores: Mapping[str, Sequence[float]], seeds: Sequence[int]) -> None:
    """Draw the scores of the variants in percent, with a line for each seed.

    Args:
        axes: Where to draw.
        scores: A score for each seed, 0 to 1, by the name of the variant.
        seeds: The seeds.
    """
    names = list(scores)
    for index, seed in enumerate(seeds):
        values = [100 * scores[name][index] for name in names]
        axes.plot(names, values, "o-", label=f"seed {seed}")
    axes.margins(x=0.3)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize="small")
