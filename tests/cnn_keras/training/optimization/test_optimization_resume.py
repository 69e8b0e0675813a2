from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.model_files.layer_weights import read_weights
from cnn_keras.training.config import Training
from cnn_keras.training.train import train
from tests.fixtures.interruptions import interrupt

# 11 batches an epoch, so that accumulated gradients are left at the end of the first.
SHARED = {
    "epochs": 3,
    "label_smoothing": 0.1,
    "clip_norm": 1.0,
    "ema_momentum": 0.9,
    "gradient_accumulation_steps": 2,
    "random_erasing": 0.5,
}
NESTEROV = {"schedule": "one_cycle", "nesterov": True, "mixup": 0.2, "cutmix": 1.0}
COSINE = {"schedule": "cosine", "optimizer": "adamw", "learning_rate": 0.001, "mixup": 0.2}
WARMUP = {"optimizer": "lamb", "warmup_steps": 5, "warmup_rate": 0.001, "linear_warmup": True}


@pytest.mark.parametrize("values", [NESTEROV, COSINE, WARMUP])
def test_a_resumed_training_equals_an_undisturbed_one(
    values: dict[str, Any], tmp_path: Path
) -> None:
    training = Training.of("lenet5", "digits", recipe=SHARED | values, train_images=352)
    undisturbed = train(training, tmp_path / "undisturbed")
    interrupt(training, tmp_path / "interrupted", epoch=1)
    resumed = train(training, tmp_path / "interrupted")
    for name in ("model.keras", "best.keras", "last.keras"):
        found, expected = (read_weights(run.path / name) for run in (resumed, undisturbed))
        for layer, arrays in expected.items():
            assert all(np.array_equal(a, b) for a, b in zip(found[layer], arrays, strict=True))
    columns = ("epoch", "learning_rate", "loss", "val_loss", "val_accuracy")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]
    assert len(tables[0]) == 3

    # Validation and the saved network use the average, without label smoothing.
    last, model = keras.saving.load_model(undisturbed.path / "last.keras"), undisturbed.model()
    averages = [v for v in last.optimizer.variables if v.name.endswith("average")]
    for average, weight, raw in zip(
        averages, model.trainable_variables, last.trainable_variables, strict=True
    ):
        np.testing.assert_array_equal(np.array(average), np.array(weight))
        assert not np.array_equal(np.array(average), np.array(raw))
    row, validation = undisturbed.history[-1], undisturbed.metrics["validation"]
    assert row["val_loss"] == pytest.approx(validation["loss"], rel=1e-4)
    assert row["val_accuracy"] == pytest.approx(validation["accuracy"])
