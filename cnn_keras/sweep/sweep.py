"""Train the trials of a sweep. Its only state are the run folders, so that it resumes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from ..command import log
from ..experiments.executors.executor import IN_ORDER, Executor
from .optuna_search import OptunaSearch
from .pruning import prune
from .search import Listed, Strategy, grid, random
from .sweep_file import SweepFile
from .trials import Trial

Prune = Callable[[Sequence[Trial], int], list[Trial]]
"""Prunes trials that are trained until an epoch, and returns the others."""


def run_sweep(
    sweep: SweepFile, out: Path, data_dir: Path | None = None, executor: Executor = IN_ORDER
) -> list[Trial]:
    """Train all trials; finished runs are skipped.

    Args:
        sweep: What to search, and how.
        out: Folder of the run folders.
        data_dir: Folder to search for the data set first.
        executor: Where the trainings run. The results do not depend on it.

    Returns:
        The trials, in the order in which they were chosen.

    Raises:
        UsageError: The values of a trial are not allowed together, or a run folder has another
            training.
        Error: Optuna is not installed.
    """
    strategy, prune = _strategy(sweep)
    epochs = sweep.pruning.epochs if sweep.pruning else ()
    trials: list[Trial] = []
    while proposed := strategy.propose():
        first = len(trials)
        trials += [
            Trial.of(number, sweep, values, out, data_dir)
            for number, values in enumerate(proposed, first)
        ]
        train_trials(trials[first:], executor, epochs, prune)
        strategy.report(trials[first:])
    return trials


def _strategy(sweep: SweepFile) -> tuple[Strategy, Prune]:
    search, pruning = sweep.search, sweep.pruning
    keep: Prune = partial(prune, keep=pruning.keep if pruning else 1)
    if search.method == "grid":
        return Listed(grid(sweep.space)), keep
    if search.method == "random":
        return Listed(random(sweep.space, search.trials, search.seed)), keep
    pruner = pruning.optuna if pruning else None
    optuna = OptunaSearch(sweep.space, search, pruner)
    return optuna, optuna.prune if pruner else keep


def train_trials(
    trials: Sequence[Trial], executor: Executor, epochs: Sequence[int], prune: Prune
) -> None:
    """Train trials to the end, or until they are pruned; their states are changed.

    Args:
        trials: The trials.
        executor: Where the trainings run.
        epochs: Epochs after which trials are pruned.
        prune: Prunes them.
    """
    running = list(trials)
    for epoch in epochs:
        running = _train(running, executor, epoch)
        before = len(running)
        running = prune(running, epoch)
        log(f"After epoch {epoch}, {len(running)} of {before} trials continue.")
    for trial in _train(running, executor):
        trial.state = "complete"


def _train(
    trials: Sequence[Trial], executor: Executor, until_epoch: int | None = None
) -> list[Trial]:
    """Train trials until an epoch, and return those that did not fail."""
    tasks = [replace(task, until_epoch=until_epoch) for trial in trials for task in trial.tasks]
    results = iter(executor.train_all(tasks))
    for trial in trials:
        trial.take([next(results) for _ in trial.tasks])
    return [trial for trial in trials if trial.state == "running"]
