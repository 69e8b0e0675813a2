"""The callback that saves what resuming a training needs."""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras

from ...command import write_atomic
from ...errors import Error, first_line
from ...model_files.layer_weights import main_network
from ..hosts.devices import require_equal_weights
from ..monitoring.logs import main_logs
from ..optimization.averaging import WeightAverage
from ..run_folder import Run
from .checkpoint import Progress, save_checkpoint
from .dropout_seeds import seed_dropout
from .stop_request import StopRequest


class Recorder(keras.callbacks.Callback):
    """Write history.csv, best.keras and last.keras after each epoch, and last.keras within epochs.

    It stands before `WeightAverage`, so that it saves the weights themselves.

    Args:
        run: The run folder.
        seed: Seed of the training.
        start: Where the training starts.
        steps_per_epoch: Number of batches per epoch.
        stop: Whether the training is to stop; it is saved and stops after the running batch.
        average: The average of the weights, which best.keras has.
        save_every: Write last.keras also after each of this many batches; 0 does not.
    """

    def __init__(
        self,
        run: Run,
        seed: int,
        start: Progress,
        steps_per_epoch: int,
        stop: StopRequest,
        average: WeightAverage,
        save_every: int = 0,
    ) -> None:
        super().__init__()
        self.run, self.seed, self.start, self.saved = run, seed, start, start
        self.average = average
        self.steps_per_epoch, self.stop, self.save_every = steps_per_epoch, stop, save_every
        # A training that starts does not read a table that an earlier one left.
        self.history = run.history[: start.epoch] if start.epoch else []

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Seed what is random in the epoch, and restore the metrics of an interrupted one."""
        start = self.start if epoch == self.start.epoch else Progress(epoch)
        self.epoch, self.step = epoch, start.step
        self.start_time = time.perf_counter() - start.seconds
        seed_dropout(self.model, self.seed, epoch, start.step)
        if start.metrics:
            for variable, value in zip(self.model.metrics_variables, start.metrics, strict=True):
                variable.assign(value)

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        """Check the loss, and save the training if this is due or it is to stop.

        Raises:
            Error: The loss is not finite, or the disk is full.
            KeyboardInterrupt: The training is to stop.
        """
        self.step += 1
        loss = main_logs(logs, self.model)["loss"]
        if not math.isfinite(loss):
            raise Error(
                f"The loss is {loss} at step {self.step}: lower --learning-rate; "
                f"{self.run.path} keeps the last checkpoint."
            )
        if self.step == self.steps_per_epoch > batch + 1:
            self.model.stop_training = True  # `fit` expects a whole epoch after a resumed one, too
        total = self.epoch * self.steps_per_epoch + self.step
        if self.stop.after_step() or (self.save_every and total % self.save_every == 0):
            self._save(self._progress())
        self._stop_if_requested()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keep the metrics of the epoch, which validation replaces."""
        self.trained = self._progress()

    def on_test_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """End the validation if the training is to stop."""
        if self.stop.after_step():
            self.model.stop_evaluating = True

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Save the history, the model if it is the best so far, and the state for resuming.

        Raises:
            Error: The disk is full, or the weights of several processes differ.
            KeyboardInterrupt: The training is to stop.
        """
        self.model.stop_training = False
        if self.model.stop_evaluating:  # the validation is repeated when the training resumes
            self._save(self.trained)
            self._stop_if_requested()
        require_equal_weights(self.model)
        logs = main_logs(logs, self.model)
        seconds = time.perf_counter() - self.start_time
        best = max((row["val_accuracy"] for row in self.history), default=-1.0)
        row = {
            "epoch": epoch + 1,
            "seconds": round(seconds, 2),
            "learning_rate": float(self.model.optimizer.learning_rate),
        }
        self.history.append(row | {key: float(value) for key, value in logs.items()})
        with self._keeping_last_checkpoint():
            self._write_history()
            if logs["val_accuracy"] > best:
                with self.average.in_network():
                    self.run.save_model(main_network(self.model), "best.keras")
        self._save(Progress(epoch + 1))
        self._stop_if_requested()

    def _progress(self) -> Progress:
        metrics = [float(variable) for variable in self.model.metrics_variables]
        seconds = time.perf_counter() - self.start_time
        return Progress(self.epoch, self.step, seconds, metrics)

    def _save(self, progress: Progress) -> None:
        with self._keeping_last_checkpoint():
            save_checkpoint(self.run, self.model, progress)
        self.saved = progress

    def _stop_if_requested(self) -> None:
        if self.stop.received:
            self.stop.stop(str(self.saved))

    @contextmanager
    def _keeping_last_checkpoint(self) -> Iterator[None]:
        """Say where the training resumes, if the disk is full.

        Raises:
            Error: A file cannot be written.
        """
        try:
            yield
        except OSError as error:
            reason = error.strerror or first_line(error).rstrip(".")
            resumes = f"the same command resumes {self.run.path} {self.saved}"
            if self.saved == Progress(0):
                resumes = "the same command starts again"
            raise Error(
                f"{error.filename or self.run.path} cannot be written ({reason}): when it can, "
                f"{resumes}."
            ) from error

    def _write_history(self) -> None:
        text = io.StringIO()
        # A table that an earlier version started keeps its columns.
        columns = list(self.history[0])
        writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.history)
        write_atomic(self.run.path / "history.csv", text.getvalue())


def finish_epoch(
    model: keras.Model, validation: Any, callbacks: list[keras.callbacks.Callback], epoch: int
) -> None:
    """Validate and record an epoch whose batches are all trained, as `fit` does at its end.

    Args:
        model: The compiled model, with its metrics created.
        validation: Batches of the validation split.
        callbacks: Those of `fit`.
        epoch: Number of the epoch, counted from 0.
    """
    together = keras.callbacks.CallbackList(callbacks, model=model)
    together.on_train_begin()
    together.on_epoch_begin(epoch)
    logs = model.get_metrics_result()
    found = model.evaluate(validation, callbacks=together, verbose=0, return_dict=True)
    together.on_epoch_end(epoch, logs | {f"val_{name}": value for name, value in found.items()})
    together.on_train_end()
