"""A trial: one combination of values, which is trained once with each seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from ..errors import UsageError
from ..experiments.executors.executor import Result, Task
from ..training.run_folder import Run
from .sweep_file import Objective, SweepFile

State = Literal["running", "complete", "pruned", "failed"]

_MAX_NAME = 200  # characters; file systems allow 255 bytes


@dataclass
class Trial:
    """A trial, and how far it is.

    Attributes:
        number: Its position among all trials, from 0.
        values: Its values, by the names of the recipe's fields.
        tasks: Its trainings, one for each seed.
        objective: See `SweepFile`.
        state: ``"pruned"`` trials end early, and ``"failed"`` ones have a training that failed.
        reason: Why it failed.
    """

    number: int
    values: Mapping[str, Any]
    tasks: Sequence[Task]
    objective: Objective
    state: State = field(default="running")
    reason: str = ""

    @classmethod
    def of(
        cls,
        number: int,
        sweep: SweepFile,
        values: Mapping[str, Any],
        out: Path,
        data_dir: Path | None,
    ) -> Trial:
        """Return the trial of a combination of values.

        Args:
            number: See the attribute.
            sweep: The sweep.
            values: The values.
            out: Folder of the run folders.
            data_dir: Folder to search for the data set first.

        Raises:
            UsageError: The values are not allowed together.
        """
        name = trial_name(values)
        try:
            trainings = sweep.trainings(values)
        except UsageError as error:
            raise UsageError(f"The trial {name} is not possible: {error}") from error
        tasks = [
            Task(each, out / f"{name},seed={each.seed}", data_dir, sweep.loading)
            for each in trainings
        ]
        return cls(number, values, tasks, sweep.objective)

    @property
    def name(self) -> str:
        """Its values as text."""
        return trial_name(self.values)

    @property
    def runs(self) -> list[Run]:
        """The run folders, one for each seed."""
        return [Run(task.out) for task in self.tasks]

    @property
    def epochs(self) -> int:
        """Epochs for which all its networks are trained."""
        return min(len(run.history) for run in self.runs)

    def take(self, results: Sequence[Result]) -> None:
        """Note what the trainings have left."""
        for result in results:
            if result.reason is not None:
                self.state, self.reason = "failed", result.reason

    def accuracies(self, epoch: int | None = None) -> list[float]:
        """Return the validation accuracy that counts, for each seed.

        Args:
            epoch: Of a training of this many epochs; all by default.
        """
        tables = [[row["val_accuracy"] for row in run.history[:epoch]] for run in self.runs]
        return [max(table) if self.objective == "best" else table[-1] for table in tables]

    def accuracy(self, epoch: int | None = None) -> float:
        """Return the mean of `accuracies`."""
        return mean(self.accuracies(epoch))


def trial_name(values: Mapping[str, Any]) -> str:
    """Return values as text, shortened for the names of run folders.

    Example:
        >>> trial_name({"learning_rate": 0.05, "flip": True, "milestones": (0.5, 0.75)})
        'learning_rate=0.05,flip=true,milestones=0.5-0.75'
    """
    name = values_text(values)
    if len(name) <= _MAX_NAME:
        return name
    return f"{name[:_MAX_NAME]},{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def values_text(values: Mapping[str, Any]) -> str:
    """Return values with their names as text."""
    return ",".join(f"{key}={value_text(value)}" for key, value in values.items())


def value_text(value: Any) -> str:
    """Return a value as text, for names and tables."""
    if isinstance(value, tuple):
        return "-".join(map(value_text, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
