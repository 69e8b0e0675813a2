"""The command `pack-weights`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from ..command import Command, Outcome, start_keras
from ..errors import UsageError
from ..options import DataDirOption


@dataclass(frozen=True, kw_only=True)
class PackWeights(DataDirOption, Command):
    """Pack a run into the trained networks of this clone, and print its row of the table.

    The weights are stored in float16, or in int8 if they would take more than 1.2 MB, and
    metrics.json has the results of the stored weights.
    """

    run: tyro.conf.Positional[Path]
    """Run folder of a training on a data set that has a name."""
    remark: str | None = None
    """A sentence about the images or the training, which the list of the networks and the card
    show."""

    def __call__(self) -> Outcome:
        from ..trained.table import FOLDER
        from ..training.run_folder import Run

        if not (FOLDER.parents[1] / "pyproject.toml").is_file():
            raise UsageError(f"No clone of cnn-keras in {FOLDER.parents[1]}: nothing is packed.")
        run = Run.open(self.run)
        start_keras()
        from .pack import pack

        packed = pack(run, FOLDER, self.data_dir, self.remark)
        name, sha256 = packed.trained.name, packed.trained.sha256
        accuracy, before = (
            metrics["test"]["accuracy"] for metrics in (packed.metrics, run.metrics)
        )
        document = {
            "name": name,
            "sha256": sha256,
            "folder": str(packed.folder),
            "size_bytes": packed.size_bytes,
            "test_accuracy": accuracy,
            "test_accuracy_of_run": before,
        }
        text = (
            f"{packed.folder}: {packed.size_bytes / 1000:.1f} kB, test accuracy {accuracy:.4f} "
            f"(run: {before:.4f}). The row of SHA256 in {FOLDER / 'table.py'}:\n"
            f'    "{name}": "{sha256}",'
        )
        return Outcome(document, text)
