from __future__ import annotations

import keras
import numpy as np

from cnn_keras.training.checkpoints.dropout_seeds import seed_dropout


def test_dropout_depends_on_seed_and_epoch_only() -> None:
    model = keras.Sequential(
        [keras.Input((64,)), keras.layers.Dropout(0.5), keras.layers.Dropout(0.5)]
    )

    def dropped(seed: int, epoch: int) -> np.ndarray:
        seed_dropout(model, seed, epoch)
        found: np.ndarray = model(np.ones((1, 64), np.float32), training=True).numpy()
        return found

    np.testing.assert_array_equal(dropped(3, 1), dropped(3, 1))
    assert not np.array_equal(dropped(3, 1), dropped(3, 2))
    assert not np.array_equal(dropped(3, 1), dropped(4, 1))
    assert (dropped(3, 1) != 0).mean() < 0.45  # the two layers drop different units
