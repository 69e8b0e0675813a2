"""The callback that measures how many images a training processes per second."""

from __future__ import annotations

import math
import time

import keras


class Throughput(keras.callbacks.Callback):
    """Add ``"images_per_second"`` to the logs of each epoch, for the callbacks after this one.

    The time of validating and saving does not count, nor that of the very first step, in which
    Keras compiles the network. A first epoch of one step therefore has the value NaN.

    Args:
        batch_size: Images per step.
    """

    def __init__(self, batch_size: int) -> None:
        super().__init__()
        self.batch_size = batch_size
        self.is_compiled = False

    @property
    def images_per_second(self) -> float:
        """Images per second in this epoch so far."""
        if not self.steps:
            return math.nan
        return self.steps * self.batch_size / (self.end - self.start)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start to count."""
        self.steps = 0
        self.start = self.end = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Count a step."""
        self.end = time.perf_counter()
        if self.is_compiled:
            self.steps += 1
        else:
            self.is_compiled = True
            self.start = self.end

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Add the value to the logs."""
        logs["images_per_second"] = round(self.images_per_second, 1)
