from __future__ import annotations

import keras
import numpy as np

from cnn_keras.training.callbacks import main_logs, seed_dropout


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


def test_logs_are_those_of_the_first_output() -> None:
    image = keras.Input((4,))
    outputs = [keras.layers.Dense(2, name=name)(image) for name in ("main", "other")]
    logs = {"loss": 3.0, "main_loss": 1.0, "main_accuracy": 0.5, "other_loss": 2.0}
    assert main_logs(logs, keras.Model(image, outputs[0])) == logs
    expected = {"loss": 1.0, "accuracy": 0.5, "total_loss": 3.0}
    assert main_logs(logs, keras.Model(image, outputs)) == expected
