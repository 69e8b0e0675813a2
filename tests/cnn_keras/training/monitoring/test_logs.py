from __future__ import annotations

import keras

from cnn_keras.training.monitoring.logs import main_logs


def test_logs_are_those_of_the_first_output() -> None:
    image = keras.Input((4,))
    outputs = [keras.layers.Dense(2, name=name)(image) for name in ("main", "other")]
    logs = {"loss": 3.0, "main_loss": 1.0, "main_accuracy": 0.5, "other_loss": 2.0}
    assert main_logs(logs, keras.Model(image, outputs[0])) == logs
    expected = {"loss": 1.0, "accuracy": 0.5, "total_loss": 3.0}
    assert main_logs(logs, keras.Model(image, outputs)) == expected
