"""Variants of a training that are compared seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command import log
from ..training.config import Training
from ..training.run_folder import Run
from ..training.train import train
from .training_runs import FailedRun, continue_on_error, require_any

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def train_variants(
    variants: Mapping[str, Sequence[Training]],
    data: str,
    runs: Path,
    data_dir: Path | None = None,
) -> tuple[dict[str, list[Run]], list[FailedRun]]:
    """Train all variants with one seed after the other; finished runs are skipped.

    A training that fails does not stop the others, but its seed is left out of all variants.

    Args:
        variants: The trainings of each variant by its name, in the same order of the seeds.
        data: Name of the data set in the names of the run folders, NETWORK_VARIANT_DATA_SEED.
        runs: Folder of the run folders.
        data_dir: Folder to search for the data set first.

    Returns:
        The runs of each variant by its name, in the order of the seeds; and the runs that failed,
        for the record.

    Raises:
        UsageError: A run folder has a training with another configuration.
        Error: No seed succeeded for all variants.
    """
    finished: dict[str, list[Run]] = {name: [] for name in variants}
    failed: list[FailedRun] = []
    for trainings in zip(*variants.values(), strict=True):
        of_seed = {}
        for name, training in zip(variants, trainings, strict=True):
            run = f"{training.network}_{name}_{data}_{training.seed}"
            with continue_on_error(run, failed):
                log(run)
                of_seed[name] = train(training, runs / run, data_dir)
        if len(of_seed) == len(variants):
            for name, trained in of_seed.items():
                finished[name].append(trained)
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
