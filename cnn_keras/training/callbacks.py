"""The callback that shows the progress of a training and saves what resuming it needs."""

from __future__ import annotations

import csv
import io
import math
import time

import keras
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from ..command import write_atomic
from ..errors import Error
from ..model_files.keras_file import save_model
from ..model_files.layer_weights import main_network
from .optimization.averaging import averaged_weights
from .run_folder import Run


class Recorder(keras.callbacks.Callback):
    """Write history.csv, best.keras and last.keras after each epoch, and show a progress bar.

    Args:
        run: The run folder.
        seed: Seed of the training.
        first_epoch: Epoch at which the training starts, above 0 if it resumes.
        epochs: Number of epochs.
        steps_per_epoch: Number of batches per epoch.
    """

    def __init__(
        self, run: Run, seed: int, first_epoch: int, epochs: int, steps_per_epoch: int
    ) -> None:
        super().__init__()
        self.run, self.seed, self.epochs = run, seed, epochs
        # A training that starts does not read a table that an earlier one left.
        self.history = run.history[:first_epoch] if first_epoch else []
        console = Console(stderr=True)
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task(
            "train", total=steps_per_epoch, epoch=first_epoch + 1, loss=math.nan, accuracy=math.nan
        )

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Show the progress bar."""
        self.bar.start()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Seed what is random in the epoch."""
        self.start_time = time.perf_counter()
        seed_dropout(self.model, self.seed, epoch)
        self.bar.reset(self.task, epoch=epoch + 1, loss=math.nan, accuracy=math.nan)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Advance the progress bar.

        Raises:
            Error: The loss is not finite.
        """
        logs = main_logs(logs, self.model)
        self.bar.update(self.task, advance=1, loss=logs["loss"], accuracy=logs["accuracy"])
        if not math.isfinite(logs["loss"]):
            raise Error(
                f"The loss is {logs['loss']} at step {batch + 1}: lower --learning-rate; "
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
            with averaged_weights(self.model):
                save_model(main_network(self.model), self.run.path / "best.keras")
        save_model(self.model, self.run.path / "last.keras")
        self.bar.console.print(
            f"epoch {epoch + 1}/{self.epochs}  loss {logs['loss']:.4f}  accuracy "
            f"{logs['accuracy']:.4f}  validation accuracy {logs['val_accuracy']:.4f}  "
            f"{seconds:.1f} s",
            highlight=False,
        )

    def _write_history(self) -> None:
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(self.history[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_atomic(self.run.path / "history.csv", text.getvalue())


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Seed the dropout of an epoch, so that it does not depend on the epochs before.

    Saved models do not restore the state of dropout.
    """
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        value = np.random.default_rng([seed, epoch, index]).integers(2**31)
        state.assign([value, 0])


def main_logs(logs: dict[str, float], model: keras.Model) -> dict[str, float]:
    """Return Keras' logs with those of the first output under the names of a single output's logs.

    If there are several outputs, ``"total_loss"`` is the weighted sum of their losses.
    """
    if len(model.outputs) == 1:
        return logs
    output = model.output_names[0]
    names = {
        f"{prefix}{output}_{metric}": f"{prefix}{metric}"
        for prefix in ("", "val_")
        for metric in ("accuracy", "loss")
    }
    main = {name: logs[key] for key, name in names.items() if key in logs}
    return main | {"total_loss": logs["loss"]}
