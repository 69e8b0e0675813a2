"""Dropout that depends only on the seed and the batch, so that a training resumes exactly."""

from __future__ import annotations

import keras
import numpy as np


def seed_dropout(model: keras.Model, seed: int, epoch: int, step: int = 0) -> None:
    """Seed the dropout of an epoch, so that it does not depend on the epochs before.

    Saved models do not restore the state of dropout.

    Args:
        model: The model.
        seed: Seed of the training.
        epoch: Number of the epoch, counted from 0.
        step: Batches of the epoch that are trained already. Keras counts the batches in the second
            number of the state.
    """
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    for index, state in enumerate(states):
        value = np.random.default_rng([seed, epoch, index]).integers(2**31)
        state.assign([value, step])
