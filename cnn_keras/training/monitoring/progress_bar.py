"""The callback that shows the progress of a training on the terminal."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import keras
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from .epoch_line import epoch_line
from .logs import main_logs
from .throughput import Throughput

_SECONDS_BETWEEN_UPDATES = 1.0  # an update takes 2 ms of CPU time


class ProgressBar(keras.callbacks.Callback):
    """Show the progress on a terminal, and print a line after each epoch.

    Args:
        history: The rows of history.csv. A callback before this one adds that of each epoch.
        throughput: A callback before this one, which measures the images per second.
        epochs: Number of epochs.
        steps_per_epoch: Number of batches per epoch.
        first_step: Step at which the training starts, above 0 if it resumes; counted from the
            start of the first epoch.
    """

    def __init__(
        self,
        history: Sequence[dict[str, Any]],
        throughput: Throughput,
        epochs: int,
        steps_per_epoch: int,
        first_step: int = 0,
    ) -> None:
        super().__init__()
        self.history, self.throughput = history, throughput
        self.epochs, self.steps_per_epoch = epochs, steps_per_epoch
        self.step = first_step
        self.next_update = 0.0
        self.seconds_between_epochs = 0.0  # for validating and saving; unknown in the first epoch
        console = Console(stderr=True)
        self.bar = _TwoLines(
            TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
            BarColumn(20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[speed]}"),
            console=console,
            auto_refresh=False,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task = self.bar.add_task("train", total=steps_per_epoch)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Show the bar of the epoch, in which a resumed training may start at a later step."""
        completed = self.step - epoch * self.steps_per_epoch
        speed = "" if self.throughput.is_compiled else "compiling the network"
        self.bar.reset(self.task, completed=completed, epoch=epoch + 1, speed=speed, results="")
        self.bar.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Advance the progress bar, once per second at most."""
        self.step += 1
        now = time.perf_counter()
        completed = self.step % self.steps_per_epoch or self.steps_per_epoch
        is_last = completed == self.steps_per_epoch  # validation follows, with a full bar
        if self.bar.disable or (now < self.next_update and not is_last):
            return
        self.next_update = now + _SECONDS_BETWEEN_UPDATES
        logs = main_logs(logs, self.model)
        results = (
            f"learning rate {float(self.model.optimizer.learning_rate):.3g}  "
            f"loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}"
        )
        self.bar.update(
            self.task, completed=completed, speed=self._speed(), results=results, refresh=True
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Print the results of the epoch."""
        self.seconds_between_epochs = time.perf_counter() - self.throughput.end
        line = epoch_line(self.history[-1], epoch + 1, self.epochs)
        self.bar.console.print(line, highlight=False, soft_wrap=True)

    def _speed(self) -> str:
        """Return the images per second, and the time until the whole training ends."""
        rate = self.throughput.images_per_second
        if math.isnan(rate):
            return ""
        steps = self.epochs * self.steps_per_epoch - self.step
        epochs = self.epochs - (self.step - 1) // self.steps_per_epoch
        seconds = steps * self.throughput.batch_size / rate + epochs * self.seconds_between_epochs
        return f"{rate:,.0f} images/s  ETA {timedelta(seconds=round(seconds))}"


class _TwoLines(Progress):
    """A progress bar with the latest results in a second line."""

    def get_renderables(self) -> Iterable[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield str(task.fields["results"])
