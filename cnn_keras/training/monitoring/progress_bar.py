"""The callback that shows the progress of a training on the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from .logs import main_logs


class ProgressBar(keras.callbacks.Callback):
    """Show a progress bar on a terminal, and print a line after each epoch.

    Args:
        history: The rows of history.csv. A callback before this one adds that of each epoch.
        first_epoch: Epoch at which the training starts, above 0 if it resumes.
        epochs: Number of epochs.
        steps_per_epoch: Number of batches per epoch.
    """

    def __init__(
        self,
        history: Sequence[dict[str, Any]],
        first_epoch: int,
        epochs: int,
        steps_per_epoch: int,
    ) -> None:
        super().__init__()
        self.history, self.epochs = history, epochs
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
        """Start the bar of the epoch."""
        self.bar.reset(self.task, epoch=epoch + 1, loss=math.nan, accuracy=math.nan)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Advance the progress bar."""
        logs = main_logs(logs, self.model)
        self.bar.update(self.task, advance=1, loss=logs["loss"], accuracy=logs["accuracy"])

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Print the results of the epoch."""
        row = self.history[-1]
        self.bar.console.print(
            f"epoch {epoch + 1}/{self.epochs}  loss {row['loss']:.4f}  accuracy "
            f"{row['accuracy']:.4f}  validation accuracy {row['val_accuracy']:.4f}  "
            f"{row['seconds']:.1f} s",
            highlight=False,
        )
