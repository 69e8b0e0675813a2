"""The command `sweep`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..command import Command, Outcome, start_keras
from ..experiments.executors.options import ExecutorOptions
from ..options import DataDirOption


@dataclass(frozen=True, kw_only=True)
class Sweep(DataDirOption, ExecutorOptions, Command):
    """Search for the training recipe with the best validation accuracy.

    Writes run folders named by their values, trials.csv and best_recipe.toml, which `train
    --recipe` takes. The same command resumes a sweep that was interrupted.
    """

    file: tyro.conf.Positional[Path]
    """TOML file: the network, the data, the values to try and how to choose among them."""
    out: Path
    """Folder of the run folders and the results."""

    def __call__(self) -> Outcome:
        from .results import document, results_table, write_results
        from .sweep import run_sweep
        from .sweep_file import read_sweep

        sweep = read_sweep(self.file)
        executor = self.executor()
        start_keras()
        trials = run_sweep(sweep, self.out, self.data_dir, executor)
        results = document(trials, self.out)
        write_results(results, trials, self.out)
        failed = any(trial.state == "failed" for trial in trials)
        return Outcome(results, results_table(results), exit_code=1 if failed else 0)
