from __future__ import annotations

import keras
import pytest

from cnn_keras.training.monitoring.progress_bar import ProgressBar


def test_each_epoch_is_one_line_in_a_log_file(capsys: pytest.CaptureFixture[str]) -> None:
    row = {"loss": 1.25, "accuracy": 0.5, "val_accuracy": 0.75, "seconds": 2.04}
    progress = ProgressBar([row], first_epoch=1, epochs=3, steps_per_epoch=1)
    progress.set_model(keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]))
    progress.on_train_begin()
    progress.on_epoch_begin(1)
    progress.on_train_batch_end(0, {"loss": 1.25, "accuracy": 0.5})
    progress.on_epoch_end(1, {})
    progress.bar.stop()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "epoch 2/3  loss 1.2500  accuracy 0.5000  validation accuracy 0.7500  2.0 s\n"
    )
