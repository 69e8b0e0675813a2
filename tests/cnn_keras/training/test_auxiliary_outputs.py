from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest

from cnn_keras import zoo
from cnn_keras.model_files.layer_weights import read_weights
from cnn_keras.training.config import Training
from cnn_keras.training.evaluate import scores
from cnn_keras.training.schedule import compile_model
from cnn_keras.training.train import train
from tests.fixtures.interruptions import interrupt


def heads(
    image: keras.KerasTensor, num_classes: int, activation: str, *, auxiliary: bool = False
) -> list[keras.KerasTensor] | keras.KerasTensor:
    """Classify, when it is trained, also after the first two convolutions."""
    outputs, x = [], image
    for row in ("a", "b", ""):
        prefix = f"{row}_aux_" if row else ""
        if row:
            x = keras.layers.Conv2D(4, 3, 2, activation="relu", name=row)(x)
        y = keras.layers.Dropout(0.4, name=f"{prefix}dropout")(x)
        y = keras.layers.Flatten(name=f"{prefix}flatten")(y)
        y = keras.layers.Dense(num_classes, name=f"{prefix}logits")(y)
        outputs.append(keras.layers.Activation(activation, name=f"{prefix}probabilities")(y))
    return [outputs[-1], *outputs[:-1]] if auxiliary else outputs[-1]


@pytest.fixture
def headed(monkeypatch: pytest.MonkeyPatch) -> Training:
    """A network of three outputs when it is trained, small enough for a test, with dropout."""
    module = ModuleType("heads")
    module.heads = heads  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cnn_keras.models.heads", module)
    row = zoo.network("lenet5")._replace(
        builder="heads:heads", training={"auxiliary": True}, loss_weights=(1.0, 0.5, 0.25)
    )
    monkeypatch.setitem(zoo.ZOO, "heads", row)
    return Training.of("heads", "digits", recipe={"epochs": 3}, train_images=320)


def test_all_outputs_are_trained_and_the_main_one_is_saved(
    headed: Training, tmp_path: Path
) -> None:
    run = train(headed, tmp_path / "run")
    last = keras.saving.load_model(run.path / "last.keras")
    assert last.output_names == ["probabilities", "a_aux_probabilities", "b_aux_probabilities"]
    for name in ("model.keras", "best.keras"):
        assert set(read_weights(run.path / name)) == {"a", "b", "logits"}
    model = run.model()
    assert len(model.outputs) == 1
    assert model.name == "heads"
    split = run.dataset().test
    assert scores(run.predict(split.images), split.labels) == run.metrics["test"]
    np.testing.assert_array_equal(
        last.predict_on_batch(run.preprocessing(split.images[:9]))[0],
        model.predict_on_batch(run.preprocessing(split.images[:9])),
    )
    row = run.history[-1]
    metrics = ["accuracy", "loss", "val_accuracy", "val_loss", "total_loss"]
    assert list(row) == ["epoch", "seconds", "learning_rate", *metrics]
    assert row["val_loss"] == pytest.approx(run.metrics["validation"]["loss"], rel=1e-4)
    assert row["val_accuracy"] == pytest.approx(run.metrics["validation"]["accuracy"])
    # Every output learns: the sum is below that of guessing, and so is the main loss.
    assert row["loss"] < row["total_loss"] < (1 + 0.5 + 0.25) * math.log(10)


def test_losses_are_weighted(headed: Training) -> None:
    model = zoo.build("heads", auxiliary=True)
    compile_model(model, headed.recipe, 10, (1.0, 0.5, 0.25))
    images = np.random.default_rng(0).random((8, 32, 32, 1), np.float32)
    labels = dict.fromkeys(model.output_names, np.arange(8))
    found = model.evaluate(images, labels, verbose=0, return_dict=True)
    parts = [found[f"{name}_loss"] for name in model.output_names]
    assert found["loss"] == pytest.approx(parts[0] + 0.5 * parts[1] + 0.25 * parts[2], rel=1e-5)


def test_a_training_with_auxiliary_outputs_and_dropout_resumes_exactly(
    headed: Training, tmp_path: Path
) -> None:
    spelled = [replace(headed, options={"auxiliary": text}) for text in ("true", "True")]
    undisturbed = train(headed, tmp_path / "undisturbed")
    interrupt(spelled[0], tmp_path / "interrupted", epoch=1)
    resumed = train(spelled[1], tmp_path / "interrupted")
    assert resumed.config["options"] == {"auxiliary": True}
    for name in ("model.keras", "best.keras", "last.keras"):
        found, expected = (read_weights(run.path / name) for run in (resumed, undisturbed))
        assert found.keys() == expected.keys()
        assert all(np.array_equal(found[key][0], expected[key][0]) for key in expected)
    columns = ("loss", "total_loss", "val_loss")
    tables = [[[row[c] for c in columns] for row in run.history] for run in (undisturbed, resumed)]
    assert tables[0] == tables[1]
