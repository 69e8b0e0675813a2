"""Series of trainings for studies; finished trainings are skipped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..command import failure_reason, log
from ..errors import Error, UsageError
from ..trained.table import find
from ..training.config import Training
from ..training.recipes import Recipe
from ..training.run_folder import Run
from .executors.executor import Result, Task
from .workspace import Workspace

FailedRun = dict[str, str]
"""A run that failed, and the reason: `{"run": ..., "reason": ...}`."""


@dataclass(frozen=True)
class TrainedBefore(Training):
    """The training of a trained network of the package, which a study does not repeat.

    Attributes:
        name: NETWORK:DATA.
    """

    name: str = ""

    @classmethod
    def find(cls, name: str) -> TrainedBefore:
        """Return the training of a trained network.

        Raises:
            UsageError: There is no such trained network.
        """
        config = find(name).read_json("config.json")
        return cls(**config | {"recipe": Recipe.from_dict(config["recipe"])}, name=name)


def run_name(training: Training, variant: str = "") -> str:
    """Return the name of the run folders of a training, without the seed.

    Args:
        training: The training.
        variant: Distinguishes it from other trainings of the network in the same folder.

    Example:
        >>> run_name(Training.of("resnet20", "digits", recipe={}))
        'resnet20_digits'
    """
    data = Path(training.data).name  # only the last part of a path
    return "_".join(filter(None, (training.network, variant, data)))


def budget(training: Training) -> dict[str, Any]:
    """Return the budget of a training, for a record."""
    name = {"trained_network": training.name} if isinstance(training, TrainedBefore) else {}
    return {
        **name,
        "data": training.data,
        "train_images": training.train_images,
        "image_size": training.image_size,
        **training.recipe.to_dict(),
    }


def train_each(
    training: Training,
    seeds: Sequence[int],
    workspace: Workspace,
    *,
    variant: str = "",
) -> list[Run]:
    """Train a network with each seed, in the run folders NAME_SEED; finished runs are skipped.

    Args:
        training: What to train; its seed is replaced.
        seeds: Seeds, one for each run; for a trained network its own seed.
        workspace: Where to train.
        variant: See `run_name`.

    Raises:
        UsageError: A run folder has a training with another configuration.
        Error: A training failed.
    """
    if isinstance(training, TrainedBefore):
        return [Run.open(Path(training.name))]
    name = run_name(training, variant)
    results = workspace.executor.train_all(_tasks(training, name, seeds, workspace))
    for result in results:
        if result.reason is not None:
            raise Error(f"{result.run.path.name} failed: {result.reason}")
    return [result.run for result in results]


def _tasks(training: Training, name: str, seeds: Sequence[int], workspace: Workspace) -> list[Task]:
    """Return the trainings of a network with each seed, in the folders NAME_SEED."""
    return [
        Task(replace(training, seed=seed), workspace.runs / f"{name}_{seed}", workspace.data_dir)
        for seed in seeds
    ]


def train_all(
    trainings: Sequence[Training], seeds: Sequence[int], workspace: Workspace
) -> tuple[list[int], list[FailedRun]]:
    """Train networks with each seed; a training that fails does not stop the others.

    Args:
        trainings: What to train; their seeds are replaced.
        seeds: Seeds, each for one run of each network.
        workspace: Where to train.

    Returns:
        The seeds with which all networks were trained, because studies compare runs of one seed;
        and the runs that failed, for the record.

    Raises:
        UsageError: A run folder has a training with another configuration.
        Error: No seed succeeded for all networks.
    """
    tasks: list[Task] = []
    for training in trainings:
        if isinstance(training, TrainedBefore):
            Run.open(Path(training.name))  # unpacks it
        else:
            tasks += _tasks(training, run_name(training), seeds, workspace)
    results = workspace.executor.train_all(tasks)
    failed = failed_runs(results)
    failed_seeds = {
        task.training.seed
        for task, result in zip(tasks, results, strict=True)
        if result.reason is not None
    }
    left = [seed for seed in dict.fromkeys(seeds) if seed not in failed_seeds]
    require_any(left, failed)
    return left, failed


def train_with_own_seeds(trainings: Sequence[Training], workspace: Workspace) -> list[Result]:
    """Train each network once, in the run folder NAME_SEED; finished runs are skipped.

    Args:
        trainings: What to train.
        workspace: Where to train.

    Raises:
        UsageError: A run folder has a training with another configuration.
    """
    tasks = [
        task
        for training in trainings
        if not isinstance(training, TrainedBefore)
        for task in _tasks(training, run_name(training), [training.seed], workspace)
    ]
    results = iter(workspace.executor.train_all(tasks))
    return [
        Result(Run.open(Path(training.name)))
        if isinstance(training, TrainedBefore)
        else next(results)
        for training in trainings
    ]


def failed_runs(results: Iterable[Result]) -> list[FailedRun]:
    """Return the trainings that failed, for a record."""
    return [
        {"run": result.run.path.name, "reason": result.reason}
        for result in results
        if result.reason is not None
    ]


def finished_runs(training: Training, seeds: Sequence[int], runs: Path) -> list[Run]:
    """Return the runs of a network that `train_all` has trained."""
    if isinstance(training, TrainedBefore):
        return [Run.open(Path(training.name))]
    return [Run(runs / f"{run_name(training)}_{seed}") for seed in seeds]


@contextmanager
def continue_on_error(run: str, failed: list[FailedRun]) -> Iterator[None]:
    """Continue a study if a run fails, and note the reason for its record.

    Args:
        run: Name of the run.
        failed: Runs that failed so far, to which a run that fails is added.

    Raises:
        UsageError: An option is wrong.
        OSError: A file cannot be written.
    """
    try:
        yield
    except (UsageError, OSError):
        raise
    except Exception as error:
        failed.append({"run": run, "reason": failure_reason(error)})
        log(f"{run} failed: {failed[-1]['reason']}")


def require_any(done: Sized, failed: Sequence[FailedRun]) -> None:
    """Refuse to write a record without any run.

    Raises:
        Error: All runs failed.
    """
    if not done and failed:
        raise Error(f"No run of the study is complete: {failed[-1]['run']}: {failed[-1]['reason']}")
