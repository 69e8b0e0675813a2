from __future__ import annotations

import numpy as np
import pytest

from cnn_keras import zoo
from export.studies.speed.keras_training import KerasTrainer
from export.studies.speed.trainer import Case


@pytest.fixture(scope="module")
def trainer() -> KerasTrainer:
    return KerasTrainer(Case("resnet20", 8, 1, 10, 4, 1 / 8, True, 1e-3, 0.9, 1e-4, 1.0))


def test_the_network_and_the_batches_are_those_of_a_training(trainer: KerasTrainer) -> None:
    trainable = sum(int(np.prod(v.shape)) for v in zoo.build("resnet20", (8, 8, 1)).weights)
    statistics = sum(2 * int(v.shape[0]) for v in trainer.model.weights if v.name == "moving_mean")
    subsample = 16 + 32  # the frozen kernels of the two shortcuts
    assert trainer.num_parameters == trainable - statistics - subsample
    images, labels = trainer.batch
    assert (images.shape, labels.shape) == ((4, 8, 8, 1), (4,))


def test_each_turn_trains_the_steps_that_are_asked_for(trainer: KerasTrainer) -> None:
    def steps() -> int:
        return int(trainer.model.optimizer.iterations)

    before = steps()
    assert trainer.fit(3) > 0
    assert steps() - before == 3 + 1  # with the untimed one
    assert trainer.compute(4) > 0
    assert steps() - before == 4 + 4 + 1
    assert trainer.load(20) > 0
    assert steps() - before == 9
