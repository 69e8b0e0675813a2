"""Many trainings: what an executor takes and returns, and the one that trains in this process."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol

from ...command import failure_reason, log, start_keras
from ...data.loading.options import FROM_FILES, Loading
from ...errors import UsageError
from ...training.config import Training
from ...training.run_folder import Run
from ...training.train import is_finished, train
from .threads import set_threads

Answer = str | UsageError | OSError | None
"""Why a training failed; an error that stops all trainings; or None."""


@dataclass(frozen=True)
class Task:
    """A training in its own run folder, which resumes there.

    Attributes:
        training: What to train.
        out: The run folder.
        data_dir: Folder to search for the data set first.
        loading: How image files are loaded.
        until_epoch: Epoch after which the training pauses; None for all epochs.
    """

    training: Training
    out: Path
    data_dir: Path | None = None
    loading: Loading = FROM_FILES
    until_epoch: int | None = None

    @property
    def name(self) -> str:
        """Name of the run folder."""
        return self.out.name

    def absolute(self) -> Task:
        """Return the same task with absolute paths, for another working directory."""
        loading = self.loading
        if loading.cache:
            loading = replace(loading, cache=loading.cache.resolve())
        data_dir = self.data_dir and self.data_dir.resolve()
        return replace(self, out=self.out.resolve(), data_dir=data_dir, loading=loading)

    def is_finished(self) -> bool:
        """Return whether nothing is left to train.

        Raises:
            UsageError: The folder has a training with another configuration.
        """
        return is_finished(self.training, self.out, self.until_epoch)

    def run(self) -> None:
        """Start or resume the training; see `training.train.train`."""
        train(
            self.training,
            self.out,
            self.data_dir,
            loading=self.loading,
            until_epoch=self.until_epoch,
        )

    def train(self) -> Answer:
        """Start or resume the training.

        Returns:
            None if it is finished, or paused after `until_epoch`.

        Raises:
            KeyboardInterrupt: The training was interrupted.
        """
        try:
            self.run()
        except (UsageError, OSError) as error:
            return error
        except Exception as error:
            return failure_reason(error)
        return None


def train_task(task: Task, threads: int) -> Answer:
    """Start Keras in a new process with a number of threads, and train.

    Raises:
        KeyboardInterrupt: The training was interrupted.
    """
    start_keras()
    set_threads(threads)
    return task.train()


class Result(NamedTuple):
    """What a task has left.

    Attributes:
        run: The run folder.
        reason: Why the training failed; None if it did not.
    """

    run: Run
    reason: str | None = None


class Executor(Protocol):
    """Trains many networks. Its only state are the run folders."""

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        """Train the networks; finished trainings are skipped.

        A training that fails does not stop the others.

        Args:
            tasks: What to train. Those of one folder are the same.

        Returns:
            The result of each task.

        Raises:
            UsageError: An option is wrong, or a run folder has another training.
            OSError: A file cannot be written.
            KeyboardInterrupt: The trainings were interrupted; each saves itself first.
        """
        ...


@dataclass(frozen=True)
class InOrder:
    """Trains in this process, one network after the other."""

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        """Train the networks; see `Executor`."""
        results = []
        for task in tasks:
            log(task.name)
            results.append(Result(Run(task.out), checked(task, task.train())))
        return results


IN_ORDER = InOrder()


def checked(task: Task, answer: Answer) -> str | None:
    """Report the failure of a training, and return its reason.

    Raises:
        UsageError: The answer is one.
        OSError: The answer is one.
    """
    if isinstance(answer, Exception):
        raise answer
    if answer is not None:
        log(f"{task.name} failed: {answer}")
    return answer


def unfinished(tasks: Iterable[Task]) -> list[Task]:
    """Return the tasks that are not finished, one for each run folder.

    Raises:
        UsageError: A run folder has a training with another configuration.
    """
    by_folder = {task.out.resolve(): task for task in tasks}
    return [task for task in by_folder.values() if not task.is_finished()]


def results_of(tasks: Iterable[Task], reasons: Mapping[Path, str | None]) -> list[Result]:
    """Return the results of tasks.

    Args:
        tasks: The tasks.
        reasons: Why trainings failed, by the absolute path of the run folder.
    """
    return [Result(Run(task.out), reasons.get(task.out.resolve())) for task in tasks]
