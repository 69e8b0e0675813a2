"""The callback that saves what resuming a training needs."""

from __future__ import annotations

import csv
import io
import math
import time

import keras

from ...command import write_atomic
from ...errors import Error
from ...model_files.keras_file import save_model
from ...model_files.layer_weights import main_network
from ..monitoring.logs import main_logs
from ..optimization.averaging import WeightAverage
from ..run_folder import Run
from .dropout_seeds import seed_dropout


class Recorder(keras.callbacks.Callback):
    """Write history.csv, best.keras and last.keras after each epoch.

    Args:
        run: The run folder.
        seed: Seed of the training.
        first_epoch: Epoch at which the training starts, above 0 if it resumes.
        average: The average of the weights, which best.keras has.
    """

    def __init__(self, run: Run, seed: int, first_epoch: int, average: WeightAverage) -> None:
        super().__init__()
        self.run, self.seed, self.average = run, seed, average
        # A training that starts does not read a table that an earlier one left.
        self.history = run.history[:first_epoch] if first_epoch else []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Seed what is random in the epoch."""
        self.start_time = time.perf_counter()
        seed_dropout(self.model, self.seed, epoch)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Check the loss.

        Raises:
            Error: It is not finite.
        """
        loss = main_logs(logs, self.model)["loss"]
        if not math.isfinite(loss):
            raise Error(
                f"The loss is {loss} at step {batch + 1}: lower --learning-rate; "
                f"{self.run.path} keeps the last complete epoch."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Save the history, the model if it is the best so far, and the state for resuming."""
        logs = main_logs(logs, self.model)
        seconds = time.perf_counter() - self.start_time
        best = max((row["val_accuracy"] for row in self.history), default=-1.0)
        row = {
            "epoch": epoch + 1,
            "seconds": round(seconds, 2),
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        self.history.append(row | {key: float(value) for key, value in logs.items()})
        self._write_history()
        if logs["val_accuracy"] > best:
            with self.average.in_network():
                save_model(main_network(self.model), self.run.path / "best.keras")
        save_model(self.model, self.run.path / "last.keras")

    def _write_history(self) -> None:
        text = io.StringIO()
        # A table that an earlier version started keeps its columns.
        columns = list(self.history[0])
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_atomic(self.run.path / "history.csv", text.getvalue())
