"""A linear warm-up before another learning-rate schedule."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("cnn_keras")
class LinearWarmup(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rate that rises linearly, then follows another schedule.

    Args:
        schedule: Schedule after the warm-up, a function of the step since the training started.
        steps: Steps of the warm-up.
        initial: Learning rate at step 0.
        target: Learning rate at step `steps`.

    Reference:
        Goyal et al., "Accurate, large minibatch SGD", arXiv:1706.02677, section 2.2.
    """

    def __init__(
        self,
        schedule: keras.optimizers.schedules.LearningRateSchedule,
        steps: int,
        initial: float,
        target: float,
    ) -> None:
        super().__init__()
        self.schedule, self.steps, self.initial, self.target = schedule, steps, initial, target

    def __call__(self, step: Any) -> Any:
        """Return the learning rate at a step, counted from 0."""
        fraction = keras.ops.cast(step, "float32") / self.steps
        return keras.ops.where(
            fraction < 1.0,
            self.initial + (self.target - self.initial) * fraction,
            self.schedule(step),
        )

    def get_config(self) -> dict[str, Any]:
        """Return the arguments."""
        return {
            "schedule": keras.saving.serialize_keras_object(self.schedule),
            "steps": self.steps,
            "initial": self.initial,
            "target": self.target,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LinearWarmup:
        """Return the schedule with these arguments."""
        schedule = keras.saving.deserialize_keras_object(config["schedule"])
        return cls(**config | {"schedule": schedule})
