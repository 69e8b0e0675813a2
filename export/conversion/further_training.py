"""Further training of a run's network for recipes, and the networks that it keeps in the run.

They are saved as `tuned/TECHNIQUES.keras` in the run folder, so that recipes with the same first
techniques, and a repeated command, train only once.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_keras.command import progress, write_atomic
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.keras_file import load_model, save_model
from cnn_keras.training.evaluate import scores
from cnn_keras.training.recipes import Recipe as TrainingRecipe
from cnn_keras.training.recipes import recipe as training_recipe
from cnn_keras.training.run_folder import Run
from cnn_keras.zoo import network

from ..recipes import RECIPES, Recipe, Technique
from ..source_model import SourceModel
from ..tflite.interpreter import Interpreter
from .calibration import calibration_images
from .convert import convert
from .quantize import calibrate, quantize

if TYPE_CHECKING:
    import keras

    from .compression import TrainingSetup


def require_trainable(source: SourceModel, recipes: Iterable[Recipe]) -> None:
    """Refuse recipes with further training where it is impossible.

    Raises:
        UsageError: The model is a SavedModel, or its images have no labels.
        Error: A package that the training needs is not installed.
    """
    recipe = next((recipe for recipe in recipes if recipe.techniques), None)
    if recipe is None:
        return
    if source.run.is_saved_model:
        raise UsageError(
            f"{recipe.name} trains the network further, and the layers of a SavedModel are "
            "unknown: export its .keras file."
        )
    if not source.dataset.labeled:
        raise UsageError(
            f"{recipe.name} trains the network of {source.run.path} further, and its "
            f"{source.dataset.name} have no labels: it needs a run with --data folder:PATH."
        )
    for package in ("tf_keras", "tensorflow_model_optimization"):
        if find_spec(package) is None:
            raise Error(f'{recipe.name} needs the package {package}: pip install ".[aware]"')


def training_setup(source: SourceModel, epochs: int | None, flip: bool | None) -> TrainingSetup:
    """Return the data and settings for further training of a network.

    Args:
        source: The network and its run.
        epochs: Passes over the training images for each technique; by default a tenth of the run's.
        flip: Whether to mirror images at random, where the data set allows it; by default as in the
            run's own training.
    """
    from .compression import TrainingSetup

    config, dataset = source.run.config, source.dataset
    own = config.get("recipe")  # runs with imported weights have none
    recipe = (
        TrainingRecipe.from_dict(own) if own else training_recipe(network(config["network"]).recipe)
    )
    if recipe.optimizer != "sgd":  # whose learning rate means nothing to gradient descent
        paper = training_recipe(network(config["network"]).recipe)
        recipe = replace(
            recipe,
            learning_rate=paper.learning_rate,
            momentum=paper.momentum,
            weight_decay=paper.weight_decay,
        )
    if not own or "adopted" in config:
        # It is unknown which augmentation preserves the class of these images.
        recipe = replace(recipe, shift=0.0, rotation=0.0, flip=False)
    if flip is not None:
        recipe = replace(recipe, flip=flip)
    recipe = replace(recipe, batch_size=min(recipe.batch_size, len(dataset.train.labels)))
    return TrainingSetup(
        dataset.train,
        source.run.preprocessing,
        recipe,
        recipe.flip and dataset.allows_flip,
        config.get("seed", 0),
        epochs or max(1, recipe.epochs // 10),
        dataset.validation,
    )


def train(
    source: SourceModel, techniques: Sequence[Technique], setup: TrainingSetup
) -> tuple[keras.Model, list[str]]:
    """Train a network further by some techniques, or load it if the run has kept it.

    Where aware training does not raise the validation accuracy of the static integer file, the
    weights before it are used.

    Args:
        source: The network and its run.
        techniques: Applied in this order.
        setup: Data and settings.

    Returns:
        The network, and remarks about it.

    Raises:
        UsageError: The network cannot be trained further; see `compression.train_further`.
        Error: See `compression.train_further`.
    """
    model, remarks = source.model, []
    settings = {
        "weights": weights_sha256(model),
        "epochs": setup.epochs,
        "seed": setup.seed,
        "recipe": json.loads(json.dumps(setup.recipe.to_dict())),
        "flip": setup.flip,
    }
    for index, technique in enumerate(techniques):
        previous = techniques[:index]
        path = _model_file(source.run, techniques[: index + 1])
        record = _read_record(path)
        if record.get("asked") == settings:
            model = load_model(path)
        else:
            model, accuracies = _apply(source, model, technique, previous, setup)
            record = {"asked": settings, **accuracies}
            _save(model, record, path)
        if technique == "aware" and record["after"] <= record["before"]:
            first = f"{'_'.join(previous)} and " if previous else ""
            remarks.append(
                f"aware training does not improve on {first}static_wi8_ai8, so the weights before "
                f"it are used: validation accuracy {record['before']:.2%} before, "
                f"{record['after']:.2%} after"
            )
    return model, remarks


def load_network(run: Run, recipe: Recipe, sha256: str | None = None) -> keras.Model:
    """Load the network that a run's files of a recipe are converted from.

    Args:
        run: The run folder.
        recipe: Recipe of the file.
        sha256: Hash of the network's weights, as in `export.json`; None skips the check.

    Raises:
        UsageError: The recipe includes further training, and the run has no network of it.
        Error: The run's network is of a later training.
    """
    if not recipe.techniques:
        return run.model()
    run.import_layers()
    path = _model_file(run, recipe.techniques)
    if not path.is_file():
        raise UsageError(
            f"{path} is missing, from which {recipe.name} files are made: run `export` with this "
            "recipe."
        )
    model = load_model(path)
    if sha256 not in (None, weights_sha256(model)):
        raise Error(
            f"{path} was trained again since this {recipe.name} file was exported: export it again."
        )
    return model


def weights_sha256(model: keras.Model) -> str:
    """Return a hash of a network's weights."""
    sha256 = hashlib.sha256()
    for weight in model.get_weights():
        sha256.update(weight.tobytes())
    return sha256.hexdigest()


def _apply(
    source: SourceModel,
    model: keras.Model,
    technique: Technique,
    previous: Sequence[Technique],
    setup: TrainingSetup,
) -> tuple[keras.Model, dict[str, float]]:
    """Train a network further, and return the better one; for aware training, both accuracies."""
    from .compression import train_further

    with progress(f"{source.name}: {technique}", setup.num_steps) as advance:
        trained = train_further(model, technique, setup, advance, previous)
    if technique != "aware":
        return trained, {}
    before, after = (_integer_accuracy(source, network) for network in (model, trained))
    return (trained if after > before else model), {"before": before, "after": after}


def _integer_accuracy(source: SourceModel, model: keras.Model) -> float:
    """Return the validation accuracy of a network's static 8-bit file."""
    float32, validation = convert(model), source.dataset.validation
    ranges = calibrate(float32, calibration_images(source.run, source.dataset))
    file = Interpreter(quantize(float32, RECIPES["static_wi8_ai8"], ranges))
    outputs = file(source.run.preprocessing(validation.read()))
    return float(scores(outputs, validation.labels)["accuracy"])


def _model_file(run: Run, techniques: Sequence[Technique]) -> Path:
    return run.path / "tuned" / f"{'_'.join(techniques)}.keras"


def _read_record(path: Path) -> dict[str, Any]:
    """Return what is recorded of the training of a saved network; empty if there is none."""
    record = path.with_suffix(".json")
    return json.loads(record.read_bytes()) if path.is_file() and record.is_file() else {}


def _save(model: keras.Model, record: dict[str, Any], path: Path) -> None:
    """Save a network and the record of its training."""
    path.with_suffix(".json").unlink(missing_ok=True)  # never beside another training's network
    path.parent.mkdir(exist_ok=True)
    save_model(model, path)
    write_atomic(path.with_suffix(".json"), json.dumps(record))
