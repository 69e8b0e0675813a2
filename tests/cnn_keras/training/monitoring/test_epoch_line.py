from __future__ import annotations

import math

from cnn_keras.training.monitoring.epoch_line import epoch_line

ROW = {"seconds": 3.44, "learning_rate": 0.1, "loss": 0.44312, "accuracy": 0.8574}


def test_the_speed_may_be_unknown() -> None:
    row = ROW | {"val_accuracy": 0.9222, "images_per_second": 4140.2}
    expected = (
        "epoch 2/4  loss 0.4431  accuracy 0.8574  validation accuracy 0.9222  3.4 s  4,140 images/s"
        "  learning rate 0.1"
    )
    assert epoch_line(row, 2, 4) == expected
    slow = expected.replace("  4,140 images/s", "")
    assert epoch_line(row | {"images_per_second": math.nan}, 2, 4) == slow
    del row["images_per_second"]
    assert epoch_line(row, 2, 4) == slow
