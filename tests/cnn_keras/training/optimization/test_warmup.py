from __future__ import annotations

import keras
import numpy as np

from cnn_keras.training.optimization.warmup import LinearWarmup


def test_the_learning_rate_rises_linearly_and_then_follows_the_schedule() -> None:
    after = keras.optimizers.schedules.PiecewiseConstantDecay([6], [0.5, 0.25])
    schedule = LinearWarmup(after, 4, 0.1, 0.5)
    loaded = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(schedule))
    for warmup in (schedule, loaded):
        rates = [float(warmup(step)) for step in range(8)]
        np.testing.assert_allclose(rates, [0.1, 0.2, 0.3, 0.4, 0.5, 0.5, 0.5, 0.25], rtol=1e-6)
