"""The command `choose`: the best file of a run within limits."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from cnn_keras.command import Command, Outcome, start_keras
from cnn_keras.errors import UsageError
from cnn_keras.options import DataDirOption

from ..benchmark.places.local import Local
from ..benchmark.places.ssh import SshOptions
from ..recipes import select

RECIPES = (
    "float32",
    "float16",
    "dynamic_wi8_afp32",
    "weight_only_wi8_afp32",
    "static_wi8_ai8",
    "dynamic_wi4_afp32",
    "weight_only_wi4_afp32",
)
"""The recipes without further training, but `static_wi8_ai16`, which XNNPACK does not run."""

MIN_FILES = 4


@dataclass(frozen=True, kw_only=True)
class Choose(SshOptions, DataDirOption, Command):
    """Choose the best .tflite file of a run within limits, and write it.

    It tries recipes and, between them, mixes in which each layer is float32, or int8 with weights
    of 8 or 4 bits, by what each type costs in each layer. The best file is the most accurate one if
    accuracy has no limit; otherwise the fastest one if latency has none; otherwise the smallest one
    if size has none; with all three limits, it is the most accurate one. Of equal files, to within
    the noise, the others of accuracy, latency and size decide, in this order. If no file keeps the
    limits, the exit code is 1, and nothing is written but the list of what was tried. The same
    command continues a choice that was interrupted.
    """

    run: tyro.conf.Positional[Path]
    """Run folder, or a trained network such as lenet5:digits."""
    max_ms: float | None = None
    """Most ms of one inference (median), where the file is timed."""
    max_kb: float | None = None
    """Most kB of the file, of 1000 bytes."""
    max_drop: float | None = None
    """Most points of accuracy that the file may lose on the held-out images."""
    threads: int = 1
    """Number of threads."""
    recipes: tuple[str, ...] = RECIPES
    """Recipes that are tried beside the mixes, also those with further training."""
    max_files: int = 36
    """Number of files to try at most."""
    split: str = "validation"
    """Held-out images: validation or test."""
    out: Path | None = None
    """Folder for the file, by default `choice` in the run folder."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.tables import escape
        from cnn_keras.training.run_folder import Run

        from .rule import Limits

        recipes = select(self.recipes)
        self._validate(len(recipes))
        places = self.places() or [Local()]
        if len(places) > 1:
            raise UsageError("Name one machine with --ssh: a file is chosen for one.")
        run = Run.open(self.run)
        start_keras()
        from ..source_model import SourceModel
        from .choose import choose
        from .results import choice_table, conclusion

        document = choose(
            SourceModel.of_run(run, self.data_dir),
            self.out or run.path / "choice",
            Limits(self.max_ms, self.max_kb, self.max_drop),
            recipes,
            places[0],
            self.threads,
            self.split,
            self.max_files,
        )
        text = Group(choice_table(document), *map(escape, conclusion(document)))
        return Outcome(document, text, exit_code=0 if document["chosen"] else 1)

    def _validate(self, num_recipes: int) -> None:
        """Refuse wrong options.

        Raises:
            UsageError: An option is wrong.
        """
        limits = {"--max-ms": self.max_ms, "--max-kb": self.max_kb, "--max-drop": self.max_drop}
        if all(value is None for value in limits.values()):
            raise UsageError(f"Name a limit: {', '.join(limits)}.")
        for option, value in limits.items():
            if value is not None and not 0 <= value < float("inf"):
                raise UsageError(f"{option} must be a number from 0 on, not {value:g}.")
        if self.threads < 1:
            raise UsageError(f"--threads must be at least 1, not {self.threads}.")
        if self.split not in ("validation", "test"):
            raise UsageError(f"Accuracy is measured on validation or test, not '{self.split}'.")
        if self.max_files < num_recipes + MIN_FILES:
            raise UsageError(
                f"{num_recipes} recipes and some mixes need --max-files {num_recipes + MIN_FILES} "
                f"or more, not {self.max_files}."
            )
