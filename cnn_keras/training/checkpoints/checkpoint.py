"""The state from which a training resumes: last.keras, with the progress in the running epoch."""

from __future__ import annotations

import importlib
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ...command import log
from ...errors import Error
from ...model_files.keras_file import load_model
from ..optimization.optimizers import num_batches_seen
from ..run_folder import Run

if TYPE_CHECKING:
    import keras

# Temporary files of `save_model`, of `command.write_atomic` and of Keras, when memory is scarce.
_LEFTOVER = re.compile(
    r"\.\d+\.(?:last|best|model)\.keras|\.[\w-]+\.(?:csv|json|toml|txt)\.\w{8}|tmp\w{8}"
)


class Progress(NamedTuple):
    """How far a training is.

    Attributes:
        epoch: Complete epochs.
        step: Batches of the running epoch. If they are all its batches, only its validation is
            left.
        seconds: Duration of these batches.
        metrics: Values of `model.metrics_variables` after these batches.
    """

    epoch: int
    step: int = 0
    seconds: float = 0.0
    metrics: Sequence[float] = ()

    def __str__(self) -> str:
        """Describe it, as in "after step 5 of epoch 2"."""
        if self.step:
            return f"after step {self.step} of epoch {self.epoch + 1}"
        return f"after epoch {self.epoch}"


def save_checkpoint(run: Run, model: keras.Model, progress: Progress) -> None:
    """Write last.keras atomically: network, optimizer and progress.

    The progress in an epoch is the comment of the zip archive, which Keras does not read.

    Raises:
        OSError: The disk is full, or the folder is read-only.
    """
    comment = ""
    if progress.step:
        values = progress._asdict()
        del values["epoch"]  # follows from the batches that the optimizer has seen
        comment = json.dumps(values)
    run.save_model(model, "last.keras", comment)


def load_checkpoint(run: Run, steps_per_epoch: int) -> tuple[keras.Model, Progress]:
    """Load the compiled model with which a training resumes, and its progress.

    Raises:
        Error: The file is broken, or the table of epochs is.
    """
    last, best = run.path / "last.keras", run.path / "best.keras"
    restart = f"Or delete {last} to start the training again."
    for name in ("loss_scale", "warmup"):  # classes that the file may have
        importlib.import_module(f"...optimization.{name}", __name__)
    try:
        model = load_model(last, compiled=True)
        history = run.history
    except Error as error:
        raise Error(f"{error} {restart}", details=error.details) from error
    with zipfile.ZipFile(last) as archive:
        values = json.loads(archive.comment or b"{}")
    batches = num_batches_seen(model.optimizer) - values.get("step", 0)
    progress = Progress(batches // steps_per_epoch, **values)
    if len(history) < progress.epoch:  # one more is possible: the row is written before the model
        raise Error(
            f"{run.path / 'history.csv'} has {len(history)} rows, and {last} is of epoch "
            f"{progress.epoch}: restore the table. {restart}"
        )
    if progress.epoch and not zipfile.is_zipfile(best):
        log(
            f"{best} is missing or truncated; it is written again after an epoch that is better "
            "than all before."
        )
    return model, progress


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed trainings left in a locked run folder."""
    for path in folder.iterdir():
        if _LEFTOVER.fullmatch(path.name) and path.is_file():
            path.unlink()
