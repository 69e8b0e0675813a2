"""Train a network of the zoo with `model.fit`, as `cnn-keras train` does; run as a subprocess."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import numpy as np

from cnn_keras import zoo
from cnn_keras.command import start_keras
from cnn_keras.data.augmentation.augment import Augmentation
from cnn_keras.data.pipeline import training_batches
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.training.recipes import recipe

from ...worker import serve
from .trainer import MEAN, STD, Case, take_turns

LEAD_IN_STEPS = 1  # untimed: the pipeline prepares batches in advance meanwhile
PREFETCHED = 4  # batches that `training_batches` prepares in advance


class KerasTrainer:
    """See `trainer.Trainer`."""

    def __init__(self, case: Case) -> None:
        start_keras()
        import keras
        import tensorflow as tf

        from cnn_keras.training.optimization.compile import compile_model, speed_up

        row = zoo.network(case.network)
        keras.utils.set_random_seed(0)
        shape = (case.image_size, case.image_size, case.channels)
        self.model = zoo.build(case.network, shape, case.num_classes, **row.training)
        settings = replace(
            recipe(row.recipe),
            batch_size=case.batch_size,
            learning_rate=case.learning_rate,
            milestones=(),
        )
        compile_model(self.model, settings, case.num_images // case.batch_size, row.loss_weights)
        speed_up(self.model)
        generator = np.random.default_rng(0)
        images = generator.integers(0, 256, (case.num_images, *shape), np.uint8)
        labels = generator.integers(0, case.num_classes, case.num_images)
        self.batches = training_batches(
            Split(images, labels),
            Preprocessing(*shape, mean=(MEAN,) * case.channels, std=(STD,) * case.channels),
            Augmentation(settings.shift, settings.rotation, settings.flip),
            batch_size=case.batch_size,
            epochs=10**6,
            seed=0,
        )
        names = self.model.output_names
        if len(names) > 1:
            self.batches = self.batches.map(lambda x, y: (x, dict.fromkeys(names, y)))
        self.batch = next(iter(self.batches))
        self.step = tf.function(self.model.train_step)
        self.num_parameters = sum(
            int(np.prod(variable.shape)) for variable in self.model.trainable_variables
        )
        self.version = ("tensorflow", version("tensorflow"))
        self.turns = 0

    def fit(self, steps: int) -> float:
        """Train with `model.fit`, and read the loss after each step as a progress bar does."""
        from keras.callbacks import Callback

        from cnn_keras.training.optimization.gradient_sums import ordered_gradient_sums

        times = []

        class Clock(Callback):
            def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
                float(logs["loss"])
                times.append(time.perf_counter())

        with ordered_gradient_sums():
            self.model.fit(
                self.batches,
                initial_epoch=self.turns,
                epochs=self.turns + 1,
                steps_per_epoch=LEAD_IN_STEPS + steps,
                callbacks=[Clock()],
                shuffle=False,
                verbose=0,
            )
        self.turns += 1
        return times[-1] - times[LEAD_IN_STEPS - 1]

    def compute(self, steps: int) -> float:
        """Call the compiled training step on one batch."""
        from cnn_keras.training.optimization.gradient_sums import ordered_gradient_sums

        with ordered_gradient_sums():  # where it is compiled
            self.step(self.batch)
        start = time.perf_counter()
        for _ in range(steps):
            logs = self.step(self.batch)
        float(logs["loss"])
        return time.perf_counter() - start

    def load(self, steps: int) -> float:
        """Iterate over the batches; those that are prepared in advance are not timed."""
        start = time.perf_counter()
        for index, _ in enumerate(self.batches.take(PREFETCHED + 1 + steps)):
            if index == PREFETCHED:
                start = time.perf_counter()
        return time.perf_counter() - start


def start(request: dict[str, Any]) -> KerasTrainer:
    """Return the trainer of a request: the fields of a `Case`."""
    return KerasTrainer(Case(**request))


if __name__ == "__main__":
    sys.exit(serve(take_turns(start)))
