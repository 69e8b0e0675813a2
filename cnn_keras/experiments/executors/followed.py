"""The log of trainings on other machines, read from their run folders."""

from __future__ import annotations

from collections.abc import Sequence

from ...command import log
from ...errors import Error
from ...training.monitoring.epoch_line import epoch_line
from ...training.run_folder import Run
from .executor import Task


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


def require_visible(task: Task) -> str | None:
    """Return why a training that has ended elsewhere cannot be used here; None if it can."""
    if (task.out / "config.json").is_file():
        return None
    return f"{task.out} is not here: all machines need the same folder, for example on NFS."
