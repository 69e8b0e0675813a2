from __future__ import annotations

import math
import re

import keras
import pytest

from cnn_keras.training.monitoring.progress_bar import ProgressBar
from cnn_keras.training.monitoring.throughput import Throughput

LOGS = {"loss": 1.25, "accuracy": 0.5}
ROW = {**LOGS, "val_accuracy": 0.75, "seconds": 2.04, "learning_rate": 0.05}


def train(images_per_second: float, first_step: int = 0) -> None:
    """Call the callbacks as in the second of three epochs, each of four steps."""
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    throughput = Throughput(batch_size=100)
    row = ROW | {"images_per_second": images_per_second}
    progress = ProgressBar([row], throughput, epochs=3, steps_per_epoch=4, first_step=first_step)
    progress.set_model(model)
    throughput.on_epoch_begin(1)
    progress.on_epoch_begin(1)
    for step in range(first_step % 4, 4):
        progress.next_update = 0.0
        throughput.on_train_batch_end(step)
        throughput.start, throughput.end, throughput.steps = 0.0, 2.0, step
        progress.on_train_batch_end(step, LOGS)
    progress.on_epoch_end(1, {})
    progress.bar.stop()


@pytest.mark.parametrize(("rate", "speed"), [(1234.5, "  1,234 images/s"), (math.nan, "")])
def test_each_epoch_is_one_line_in_a_log_file(
    rate: float, speed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    train(rate)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "epoch 2/3  loss 1.2500  accuracy 0.5000  validation accuracy 0.7500  2.0 s"
        f"{speed}  learning rate 0.05\n"
    )


def frames(
    first_step: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """Return what a training shows on a terminal, without colors and line breaks."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    train(1234.5, first_step)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    return " ".join(shown.split())


def test_a_terminal_shows_speed_and_remaining_time(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = frames(4, capsys, monkeypatch)
    assert "0/4 compiling the network" in shown
    # 100 images in 2 s, so that two steps of this epoch and four of the last take 12 s.
    assert "2/4 50 images/s ETA 0:00:12 learning rate 0.01 loss 1.2500 accuracy 0.5000" in shown
    assert "4/4 150 images/s" in shown
    assert "epoch 2/3 loss 1.2500" in shown


def test_a_training_that_resumes_within_an_epoch_shows_its_step(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = frames(6, capsys, monkeypatch)
    assert "2/4 compiling the network" in shown
    assert "3/4" in shown
    assert "1/4" not in shown
