"""Series of trainings: what a study is made from, each finished one kept and skipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .command import log
from .runs import Run
from .train import Training, train


def name(training: Training, variant: str = "") -> str:
    """Return what its runs are called, apart from the seed.

    Args:
        training: What is trained.
        variant: What tells it from the network's other trainings in the same folder.

    Example:
        >>> name(Training.of("resnet20", "digits", recipe={}))
        'resnet20_digits'
    """
    data = Path(training.data).name  # of a folder only its own name
    return "_".join(filter(None, (training.network, variant, data)))


def budget(training: Training) -> dict[str, Any]:
    """Return what a record says that its trainings were given."""
    return {
        "data": training.data,
        "train_images": training.train_images,
        "image_size": training.image_size,
        **asdict(training.recipe),
    }


def train_each(
    training: Training,
    seeds: Sequence[int],
    runs: Path,
    data_dir: Path | None = None,
    *,
    variant: str = "",
) -> list[Run]:
    """Train a network with each seed in a run folder NAME_SEED; what is finished is skipped.

    Args:
        training: What to train; its seed is replaced.
        seeds: One run each.
        runs: Folder of the run folders.
        data_dir: Where the data set may lie.
        variant: See `name`.

    Raises:
        UsageError: A run folder holds a training of another configuration.
    """
    finished = []
    for seed in seeds:
        run = f"{name(training, variant)}_{seed}"
        log(run)
        finished.append(train(replace(training, seed=seed), runs / run, data_dir))
    return finished
