"""Waits for trainings on other machines, and logs their epochs from the run folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ...command import log
from ...errors import Error
from ...training.monitoring.epoch_line import epoch_line
from ...training.run_folder import Run
from .executor import Answer, Task, checked


class Followed:
    """Logs each epoch of trainings, with the name of the run before it.

    Args:
        tasks: The trainings.
    """

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = tasks
        self._logged = [len(Run(task.out).history) for task in tasks]

    def log_new_epochs(self) -> None:
        """Log the epochs that were recorded since the last call."""
        for index, task in enumerate(self.tasks):
            try:
                history = Run(task.out).history
            except Error:  # an unfinished copy, on some network file systems
                continue
            for row in history[self._logged[index] :]:
                line = epoch_line(row, int(row["epoch"]), task.training.recipe.epochs)
                log(f"{task.name}: {line}")
            self._logged[index] = max(self._logged[index], len(history))


def follow(
    running: dict[Any, Task],
    ended: Callable[[list[Any]], list[Any]],
    answer: Callable[[Any], Answer],
    stop: Callable[[list[Any]], None],
) -> dict[Path, str | None]:
    """Wait for trainings on other machines, and log their epochs.

    Args:
        running: The trainings by their handles on the cluster; those that have ended are removed.
        ended: Waits for a second, and returns which of the handles have ended.
        answer: Returns the answer of a training that has ended.
        stop: Lets trainings save themselves and end.

    Returns:
        Why trainings failed, by the absolute path of the run folder; None for the others.

    Raises:
        UsageError: The answer of a training is one.
        OSError: The answer of a training is one.
    """
    followed = Followed(list(running.values()))
    reasons: dict[Path, str | None] = {}
    try:
        while running:
            handles = ended(list(running))
            followed.log_new_epochs()
            for handle in handles:
                task = running.pop(handle)
                reason = checked(task, answer(handle) or require_visible(task))
                reasons[task.out.resolve()] = reason
    except BaseException:
        stop(list(running))
        raise
    return reasons


def require_visible(task: Task) -> str | None:
    """Return why a training that has ended elsewhere cannot be used here; None if it can."""
    if (task.out / "config.json").is_file():
        return None
    return f"{task.out} is not here: all machines need the same folder, for example on NFS."
