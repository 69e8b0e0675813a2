"""Series of trainings: what a study is made from, each finished one kept and skipped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from ..command import failure, log
from ..errors import Error, UsageError
from ..training.config import Training
from ..training.run_folder import Run
from ..training.train import train

Failed = dict[str, str]
"""A run that failed, and the reason: `{"run": ..., "reason": ...}`."""


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


def train_all(
    trainings: Sequence[Training], seeds: Sequence[int], runs: Path, data_dir: Path | None = None
) -> tuple[list[int], list[Failed]]:
    """Train networks with each seed, going on where one training fails.

    Args:
        trainings: What to train; their seeds are replaced.
        seeds: One run of each network for each.
        runs: Folder of the run folders.
        data_dir: Where the data set may lie.

    Returns:
        The seeds with which all networks were trained, since studies compare within a seed; and
        what failed, for the record.

    Raises:
        UsageError: A run folder holds a training of another configuration.
        Error: No seed is left.
    """
    failed: list[Failed] = []
    left = dict.fromkeys(seeds)
    for training in trainings:
        for seed in seeds:
            before = len(failed)
            with going_on(f"{name(training)}_{seed}", failed):
                train_each(training, [seed], runs, data_dir)
            if len(failed) > before:
                left.pop(seed, None)
    require_any(left, failed)
    return list(left), failed


def finished(training: Training, seeds: Sequence[int], runs: Path) -> list[Run]:
    """Return the runs of a network that `train_all` has trained."""
    return [Run(runs / f"{name(training)}_{seed}") for seed in seeds]


@contextmanager
def going_on(run: str, failed: list[Failed]) -> Iterator[None]:
    """Let a study go on where one of several runs fails, and note why for its record.

    Args:
        run: What is done.
        failed: What failed so far; the run is added if it fails.

    Raises:
        UsageError: The request was wrong.
        OSError: Nothing can be written.
    """
    try:
        yield
    except (UsageError, OSError):
        raise
    except Exception as error:
        failed.append({"run": run, "reason": failure(error)})
        log(f"{run} failed: {failed[-1]['reason']}")


def require_any(done: Sized, failed: Sequence[Failed]) -> None:
    """Refuse to make a record of nothing.

    Raises:
        Error: All runs failed.
    """
    if not done and failed:
        raise Error(f"Nothing is left of the study: {failed[-1]['run']}: {failed[-1]['reason']}")
