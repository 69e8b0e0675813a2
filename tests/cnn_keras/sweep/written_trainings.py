"""An executor for tests of what is decided by the results of trainings."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from cnn_keras.experiments.executors.executor import Result, Task
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run


class WrittenTrainings:
    """Writes the results of a function into run folders, instead of training.

    Args:
        accuracy: Returns the validation accuracy of a training after an epoch; a training without
            a finite one fails.
    """

    def __init__(self, accuracy: Callable[[Training, int], float]) -> None:
        self.accuracy = accuracy
        self.written: list[tuple[str, int]] = []

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        return [self._write(task) for task in tasks]

    def _write(self, task: Task) -> Result:
        run, recipe = Run(task.out), task.training.recipe
        done = len(run.history)
        last = min(task.until_epoch or recipe.epochs, recipe.epochs)
        accuracies = [self.accuracy(task.training, epoch) for epoch in range(1, last + 1)]
        if not all(map(math.isfinite, accuracies)):
            return Result(run, "The loss is nan.")
        self.written += [(task.name, epoch) for epoch in range(done + 1, last + 1)]
        if last > done:
            run.path.mkdir(parents=True, exist_ok=True)
            rows = [f"{epoch},{accuracy!r}\n" for epoch, accuracy in enumerate(accuracies, 1)]
            (run.path / "history.csv").write_text("".join(["epoch,val_accuracy\n", *rows]))
        if last == recipe.epochs:
            run.write_json("metrics.json", {"test": {"accuracy": accuracies[-1] - 0.25}})
        return Result(run)
