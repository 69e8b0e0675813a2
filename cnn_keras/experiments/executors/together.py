"""Trains each network in several processes of this machine, as several hosts do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from ...command import Outcome, failure_reason, log, start_keras
from ...errors import Error, UsageError
from ...training.hosts.cluster import Cluster, local_clusters
from ...training.hosts.devices import joined
from ...training.hosts.setup import Setup
from ...training.hosts.supervisor import supervise
from ...training.hosts.worker import Work
from .executor import Answer, Result, Task, checked, results_of, unfinished


@dataclass(frozen=True)
class Together:
    """Trains one network after the other with JAX, each in several processes.

    Attributes:
        count: Number of processes, which divides the batch size.
    """

    count: int

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        """Train the networks; see `executor.Executor`."""
        reasons: dict[Path, str | None] = {}
        for task in unfinished(tasks):
            log(task.name)
            reasons[task.out.resolve()] = checked(task, self._answer(task))
        return results_of(tasks, reasons)

    def _answer(self, task: Task) -> Answer:
        """Train a network.

        Raises:
            KeyboardInterrupt: The training was interrupted.
        """
        work = Work(partial(start_keras, "jax"), partial(_train, task))
        try:
            outcome = supervise(work, local_clusters(self.count), Setup({}, {}), timeout=0)
        except UsageError as error:
            return error
        except Error as error:
            return failure_reason(error)
        if isinstance(outcome.document, KeyboardInterrupt):
            raise outcome.document
        return None


def _train(task: Task, cluster: Cluster, coordinator: str, folder: Path) -> Outcome:
    """Train as one of several processes, of which the first one has the run folder."""
    if cluster.process:
        task = replace(task, out=folder / "run")
    with joined(cluster, coordinator):
        try:
            task.run()
        except KeyboardInterrupt as error:
            if not error.args:  # before all processes can agree to stop
                raise
            return Outcome(error, "")
        return Outcome(None, "")
