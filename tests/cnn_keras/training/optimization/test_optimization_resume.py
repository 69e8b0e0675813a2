from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from cnn_keras.model_files.layer_weights import read_weights
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import train
from tests.fixtures.interruptions import interrupt, interrupt_at_step

# 11 batches an epoch, so that accumulated gradients are left at the end of the first.
SHARED = {
    "epochs": 2,
    "label_smoothing": 0.1,
    "clip_norm": 1.0,
    "ema_momentum": 0.9,
    "gradient_accumulation_steps": 2,
    "random_erasing": 0.5,
}
NESTEROV = {"schedule": "one_cycle", "nesterov": True, "mixup": 0.2, "cutmix": 1.0}
COSINE = {"schedule": "cosine", "optimizer": "adamw", "learning_rate": 0.001, "mixup": 0.2}
WARMUP = {"optimizer": "lamb", "warmup_steps": 5, "warmup_rate": 0.001, "linear_warmup": True}


def trained_twice(
    values: dict[str, Any],
    folder: Path,
    network: str = "lenet5",
    within_epoch: bool = True,
    **others: Any,
) -> Run:
    """Train undisturbed, and with an interruption; both trainings must be equal.

    Args:
        values: The recipe, in addition to `SHARED`.
        folder: Gets the run folders.
        network: What to train.
        within_epoch: Whether the interruption is within the second epoch, after an odd number of
            batches, or at its start.
        others: Further values of the training.
    """
    training = Training.of(
        network, "digits", recipe=SHARED | values, **{"train_images": 352} | others
    )
    undisturbed = train(training, folder / "undisturbed")
    if within_epoch:
        interrupt_at_step(training, folder / "interrupted", epoch=1, step=3)
    else:
        interrupt(training, folder / "interrupted", epoch=1)
    resumed = train(training, folder / "interrupted")
    for name in ("model.keras", "best.keras", "last.keras"):
        found, expected = (read_weights(run.path / name) for run in (resumed, undisturbed))
        for layer, arrays in expected.items():
            assert all(np.array_equal(a, b) for a, b in zip(found[layer], arrays, strict=True))
    columns = ("epoch", "learning_rate", "loss", "val_loss", "val_accuracy")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]
    assert len(tables[0]) == 2
    last = [keras.saving.load_model(run.path / "last.keras") for run in (undisturbed, resumed)]
    for pair in zip(*(model.optimizer.variables for model in last), strict=True):
        np.testing.assert_array_equal(*map(np.array, pair))
    return undisturbed


@pytest.mark.parametrize("precision", [pytest.param("bfloat16", marks=pytest.mark.slow), "float16"])
def test_a_resumed_training_in_mixed_precision_equals_an_undisturbed_one(
    precision: str, tmp_path: Path
) -> None:
    run = trained_twice(NESTEROV | {"precision": precision}, tmp_path)
    config = json.loads((run.path / "config.json").read_text())
    assert config["recipe"]["precision"] == precision
    saved = keras.saving.load_model(run.path / "model.keras", compile=False)
    policies = {layer.dtype_policy.name for layer in saved.layers}
    assert policies == {"float32", f"mixed_{precision}"}
    assert saved.layers[-1].dtype_policy.name == "float32"
    assert {variable.dtype for variable in saved.variables} == {"float32"}
    # The results are those of the network that is exported.
    images = run.dataset().validation
    found = run.predict(images.images)
    assert (found.argmax(axis=1) == images.labels).mean() == pytest.approx(
        run.metrics["validation"]["accuracy"], abs=1e-9
    )


@pytest.mark.parametrize(
    ("values", "within_epoch"), [(NESTEROV, False), (COSINE, True), (WARMUP, False)]
)
def test_a_resumed_training_equals_an_undisturbed_one(
    values: dict[str, Any], within_epoch: bool, tmp_path: Path
) -> None:
    undisturbed = trained_twice(values, tmp_path, within_epoch=within_epoch)

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


@pytest.mark.slow
def test_a_resumed_average_has_the_same_statistics_of_batch_normalization(tmp_path: Path) -> None:
    values = {"ema_momentum": 0.99, "batch_size": 32}
    run = trained_twice(values, tmp_path, "resnet20", image_size=8, train_images=96)
    row, validation = run.history[-1], run.metrics["validation"]
    assert row["val_loss"] == pytest.approx(validation["loss"], rel=1e-4)
    # A training that was killed before `model.keras` was written computes them again.
    expected = read_weights(run.path / "model.keras")
    for name in ("model.keras", "metrics.json"):
        (run.path / name).unlink()
    recipe = SHARED | values
    again = Training.of("resnet20", "digits", recipe=recipe, image_size=8, train_images=96)
    found = read_weights(train(again, run.path).path / "model.keras")
    for layer, arrays in expected.items():
        assert all(np.array_equal(a, b) for a, b in zip(found[layer], arrays, strict=True))
