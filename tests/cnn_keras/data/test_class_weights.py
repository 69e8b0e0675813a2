from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import keras
import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from cnn_keras import zoo
from cnn_keras.data.class_weights import balanced_class_weights
from cnn_keras.errors import UsageError
from cnn_keras.training.config import Training
from cnn_keras.training.run_folder import Run
from cnn_keras.training.train import initial_model, train
from tests.fixtures.interruptions import interrupt

# 100 images of one digit and 2 of the other: 102 / (2 * 100) and 102 / (2 * 2).
WEIGHTS = np.array([0.51, 25.5], np.float32)


def test_weights_are_inverse_frequencies() -> None:
    labels = np.repeat([1, 0, 3], [100, 2, 48])
    expected = [150 / (3 * 2), 150 / (3 * 100), 1, 150 / (3 * 48)]  # no image of class 2
    found = balanced_class_weights(labels, num_classes=4)
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    assert found.dtype == np.float32
    assert found[labels].mean() == pytest.approx(1)
    np.testing.assert_allclose(balanced_class_weights(np.arange(9) % 3, 3), [1, 1, 1])


@pytest.fixture(scope="module")
def imbalanced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scans of two digits: 100 and 2 to train on, and a few to evaluate."""
    folder = tmp_path_factory.mktemp("images") / "digits"
    scans = load_digits()
    for digit, name, count in ((0, "often", 100), (1, "rare", 2)):
        images = (scans.images[scans.target == digit] * 15).astype(np.uint8)
        for split, chosen in (("train", images[:count]), ("val", images[-10:])):
            (folder / split / name).mkdir(parents=True)
            for index, image in enumerate(chosen):
                Image.fromarray(image).save(folder / split / name / f"{index}.png")
    return folder


def two_heads(
    image: keras.KerasTensor, num_classes: int, activation: str, *, auxiliary: bool = False
) -> list[keras.KerasTensor] | keras.KerasTensor:
    """Classify twice when it is trained, as GoogLeNet with its auxiliary classifiers."""
    x = keras.layers.Flatten(name="flatten")(keras.layers.AveragePooling2D(4, name="pool")(image))
    main, other = (
        keras.layers.Dense(num_classes, activation, name=name)(x) for name in ("logits", "aux")
    )
    return [main, other] if auxiliary else main


@pytest.fixture
def weighted(imbalanced: Path, monkeypatch: pytest.MonkeyPatch) -> Training:
    """A training of a network of two outputs with class weights."""
    module = ModuleType("two_heads")
    module.two_heads = two_heads  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "cnn_keras.models.two_heads", module)
    row = zoo.network("lenet5")._replace(
        builder="two_heads:two_heads", training={"auxiliary": True}, loss_weights=(1.0, 0.3)
    )
    monkeypatch.setitem(zoo.ZOO, "two_heads", row)
    recipe = {"epochs": 3, "batch_size": 17}
    data = f"folder:{imbalanced}"
    return Training.of("two_heads", data, recipe=recipe, class_weights="balanced")


def weighted_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    of_labels = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(np.mean(WEIGHTS[labels] * -np.log(of_labels)))


@pytest.mark.parametrize("network", ["lenet5", "two_heads"])
def test_weights_reach_the_loss_of_each_output(
    network: str, weighted: Training, tmp_path: Path
) -> None:
    recipe = {"epochs": 1, "batch_size": 102, "learning_rate": 1e-30, "shift": 0, "rotation": 0}
    still = replace(weighted, network=network, recipe=replace(weighted.recipe, **recipe))
    run = train(still, tmp_path / "run")
    dataset, row = run.dataset(), run.history[0]
    images, labels = run.preprocessing(dataset.train.read()), dataset.train.labels
    if network == "lenet5":
        expected = weighted_loss(initial_model(run).predict(images, verbose=0), labels)
        assert row["loss"] == pytest.approx(expected, rel=1e-5)
    else:
        model = keras.saving.load_model(run.path / "last.keras")
        losses = [weighted_loss(each, labels) for each in model.predict(images, verbose=0)]
        assert row["loss"] == pytest.approx(losses[0], rel=1e-5)
        assert row["total_loss"] == pytest.approx(losses[0] + 0.3 * losses[1], rel=1e-5)
    # Validation is not weighted.
    assert row["val_loss"] == pytest.approx(run.metrics["validation"]["loss"], rel=1e-5)


def test_a_training_with_class_weights_resumes_exactly(weighted: Training, tmp_path: Path) -> None:
    undisturbed = train(weighted, tmp_path / "undisturbed")
    assert undisturbed.config["class_weights"] == "balanced"
    interrupt(weighted, tmp_path / "interrupted", epoch=1)
    plain = replace(weighted, class_weights=None)
    with pytest.raises(UsageError, match="has a training with class_weights balanced, not None"):
        train(plain, tmp_path / "interrupted")
    resumed = train(weighted, tmp_path / "interrupted")
    models = [keras.saving.load_model(r.path / "last.keras") for r in (undisturbed, resumed)]
    pairs = zip(*(model.get_weights() for model in models), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert undisturbed.history[0].keys() == resumed.history[0].keys()


def test_class_weights_are_in_the_configuration_only_if_given(
    weighted: Training, tmp_path: Path
) -> None:
    plain = replace(weighted, class_weights=None)
    interrupt(plain, tmp_path / "run", epoch=0)
    assert "class_weights" not in Run(tmp_path / "run").config
    with pytest.raises(UsageError, match="has a training with class_weights None, not balanced"):
        train(weighted, tmp_path / "run")
    run = train(plain, tmp_path / "run")
    balanced = train(weighted, tmp_path / "balanced")
    assert balanced.metrics["test"]["recall"][1] > run.metrics["test"]["recall"][1]


def test_unknown_class_weights_are_refused() -> None:
    with pytest.raises(UsageError, match=r"^Unknown class weights 'balance'\. .*'balanced'"):
        Training.of("lenet5", "digits", recipe={}, class_weights="balance")


@pytest.mark.parametrize("values", [{"label_smoothing": 0.1}, {"mixup": 0.2, "cutmix": 1.0}])
def test_class_weights_and_soft_labels_train_all_outputs(
    values: dict[str, float], weighted: Training, tmp_path: Path
) -> None:
    recipe = replace(weighted.recipe, epochs=1, **values)
    run = train(replace(weighted, recipe=recipe), tmp_path / "run")
    validation = run.metrics["validation"]
    assert run.history[0]["val_loss"] == pytest.approx(validation["loss"], rel=1e-4)
    assert run.history[0]["val_accuracy"] == pytest.approx(validation["accuracy"])
