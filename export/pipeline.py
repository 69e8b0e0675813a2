"""Keras model in, checked files out: convert once, quantize by each recipe, accept or refuse."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cnn_keras.command import failure, log, progress, write_atomic
from cnn_keras.data.datasets import Dataset
from cnn_keras.data.drawing import measure_drawing
from cnn_keras.data.preprocessing import Float32Images
from cnn_keras.data.splits import Labels
from cnn_keras.errors import Error, UsageError
from cnn_keras.model_files.keras_file import load_model, save_model
from cnn_keras.training.evaluate import Probabilities, baseline_warning, scores
from cnn_keras.training.predict import predict
from cnn_keras.training.recipes import Recipe as TrainingRecipe
from cnn_keras.training.recipes import recipe as training_recipe
from cnn_keras.training.run_folder import Run
from cnn_keras.zoo import network

from .benchmark.compare import interleave
from .benchmark.intervals import student_ratio
from .conversion.calibration import sample
from .conversion.convert import convert
from .conversion.quantize import Ranges, observe, quantize
from .recipes import RECIPES, Recipe, Technique
from .tflite import metadata
from .tflite.interpreter import Interpreter
from .verification.audit import Audit, audit, refusals, remarks
from .verification.verify import Verdict, require_finite, verify

if TYPE_CHECKING:
    import keras

    from .conversion.compression import Tuning

CALIBRATION_IMAGES = 200
CALIBRATION_SEED = 0
SLOWNESS_TURNS, SLOWNESS_SECONDS = 5, 0.01  # of each file, and of a turn at least
DRAWN_IMAGES = 1000  # that the drawing pad's measures are the mean of


class Source(NamedTuple):
    """What is exported: a model, and the run whose data it is checked on."""

    name: str  # files are called after it
    model: keras.Model
    run: Run
    dataset: Dataset


def export(
    source: Source,
    out: Path,
    recipes: Sequence[Recipe],
    split: str = "validation",
    tuning_epochs: int | None = None,
    flip: bool | None = None,
) -> dict[str, Any]:
    """Write one file for each recipe that passes its checks, and `export.json` about all of them.

    A refused file is not written, and one of an earlier export is removed. Where a file cannot be
    made, or LiteRT cannot run it, its row says why, with None for what was not measured.

    Args:
        source: What to export.
        out: Folder for the files.
        recipes: How to store the numbers.
        split: The held-out images that judge the files: ``"validation"`` or ``"test"``.
        tuning_epochs: Passes over the training images for each training that a recipe asks for; by
            default a tenth of the run's own.
        flip: Whether they are mirrored for it at random, where the data set allows it; by default
            as the run's own training did, and not for a model from elsewhere.

    Returns:
        The content of `export.json`: what was exported, and under ``"files"`` one row a recipe.

    Raises:
        UsageError: A recipe trains the network on, and nobody has labeled its images; or the only
            recipe is not for this network, as its layers have no twin in tf_keras.
        Error: The model cannot be converted or gives NaN, `split` is none, or what a recipe's
            training needs is not installed.
        OSError: `out` cannot be written.
    """
    if training := [recipe for recipe in recipes if recipe.techniques]:
        _require_trainable(source, training[0])
        for package in ("tf_keras", "tensorflow_model_optimization"):
            if find_spec(package) is None:
                raise Error(f'Training on for a file needs {package}: pip install ".[aware]"')
    _require_writable(out)
    preprocessing, dataset = source.run.preprocessing, source.dataset
    held_out = dataset.split(split)
    labels = held_out.labels if dataset.labeled else None
    images = preprocessing(held_out.images)
    reference = predict(source.model, preprocessing, held_out.images)
    require_finite(reference)
    log(f"{source.name}: convert")
    float32 = convert(source.model)
    calibration = calibration_of(source.run, dataset)
    about = metadata.Metadata(
        source.name,
        _origin(source),
        source.run.classes,
        preprocessing.to_dict(),
        measure_drawing(dataset.train.sample(DRAWN_IMAGES).images),
    )
    full_size = len(metadata.write(float32, about))
    files, about_files = [], out / "export.json"
    ranges: dict[Sequence[Technique], Ranges] = {}

    def made(recipe: Recipe) -> tuple[bytes, dict[str, Any]]:
        """Make a recipe's file, and judge it."""
        trained, origin, tuned_weights, said = float32, None, None, list[str]()
        if recipe.techniques:
            tuned, said = _tuned(source, recipe.techniques, _tuning(source, tuning_epochs, flip))
            trained, tuned_weights = convert(tuned), _hash_of_weights(tuned)
            origin = predict(tuned, preprocessing, held_out.images)
        if recipe.needs_calibration and recipe.techniques not in ranges:
            with progress(f"{source.name}: calibrate", len(calibration)) as advance:
                ranges[recipe.techniques] = observe(trained, calibration, advance)
        found_ranges = ranges.get(recipe.techniques)
        content = quantize(trained, recipe, found_ranges, input_range=preprocessing.range)
        content = metadata.write(content, about)
        log(f"{source.name}: verify {recipe.name} on {len(images)} {split} images")
        found = audit(content)
        verdict = verify(content, reference, images, labels, recipe, origin)
        reasons = refusals(found, recipe, verdict.reasons)
        slow = _slowness(found, content, float32, images[:1])
        return content, {
            **verdict.to_dict(),
            "accepted": not reasons,
            "reasons": reasons,
            "remarks": [*verdict.remarks, *said, *remarks(found), *slow],
            "size_bytes": found.size_bytes,
            "gzip_bytes": len(gzip.compress(content, mtime=0)),
            "size_ratio": found.size_bytes / full_size,
            "sha256": found.sha256,
            "tuned_weights": tuned_weights,
            "audit": found.to_dict(),
        }

    for recipe in recipes:
        began = time.perf_counter()
        try:
            content, row = made(recipe)
        except OSError:
            raise  # a full disk is no matter of the recipe
        except Exception as error:
            if len(recipes) == 1 and isinstance(error, UsageError):
                raise
            log(f"{source.name}: {recipe.name} failed")
            content, row = b"", _not_made(failure(error), reference, labels)
        path = out / file_name(source, recipe)
        about_files.unlink(missing_ok=True)  # so that it never stands beside another export's file
        if row["accepted"]:
            write_atomic(path, content)
        else:
            path.unlink(missing_ok=True)
        files.append(
            {
                "recipe": recipe.name,
                "float_layers": recipe.float_layers,
                "file": path.name if row["accepted"] else None,
                **row,
                "seconds": round(time.perf_counter() - began, 2),
            }
        )
    lone = source.run.model_file
    doubt = baseline_warning(reference, labels, source.run.classes)
    document = {
        "run": os.path.relpath(source.run.path, out),
        "model": lone and os.path.relpath(lone, out),
        "network": source.run.config["network"],
        "data": dataset.name,
        "labeled": dataset.labeled,
        "split": split,
        "num_images": len(images),
        "remarks": [*source.run.config.get("remarks", ()), *([doubt] if doubt else [])],
        "calibration": {
            "split": "train",
            "num_images": len(calibration),
            "seed": CALIBRATION_SEED,
        },
        "files": files,
    }
    write_atomic(about_files, json.dumps(document, indent=2) + "\n")
    return document


def _not_made(why: str, reference: Probabilities, labels: Labels | None) -> dict[str, Any]:
    """Return what there is to say of a file that could not be made or run: None for all else."""
    known = {
        "num_images": len(reference),
        "top1_float": None if labels is None else float((reference.argmax(1) == labels).mean()),
        "accepted": False,
        "reasons": [f"cannot be made: {why.rstrip('.')}"],
        "remarks": [],
        "too_few_images": False,
    }
    judged = (field.name for field in fields(Verdict))
    measured = ("size_bytes", "gzip_bytes", "size_ratio", "sha256", "tuned_weights", "audit")
    return dict.fromkeys((*judged, *measured)) | known


def calibration_of(run: Run, dataset: Dataset) -> Float32Images:
    """Return the training images that set the ranges of a run's static files."""
    train = dataset.train
    return run.preprocessing(
        sample(train.images, train.labels, CALIBRATION_IMAGES, CALIBRATION_SEED)
    )


def unrounded(run: Run, recipe: Recipe) -> bytes:
    """Return the float32 file that a run's file of some recipe was made from.

    Raises:
        UsageError: The recipe trains the network on, and the run keeps no such network.
    """
    return convert(made_from(run, recipe))


def made_from(run: Run, recipe: Recipe, weights: str | None = None) -> keras.Model:
    """Return the network that a run's files of some recipe are made from.

    Args:
        run: Where it lies.
        recipe: Of the file.
        weights: The hash of its weights, as `export.json` has it.

    Raises:
        UsageError: The recipe trains the network on, and the run keeps no such network.
        Error: It keeps another one, of a later training.
    """
    if not recipe.techniques:
        return run.model()
    run.import_layers()
    path = _tuned_path(run, recipe.techniques)
    if not path.is_file():
        raise UsageError(f"{path} is missing, which {recipe.name} files are made from: export one.")
    model = load_model(path)
    if weights not in (None, _hash_of_weights(model)):
        raise Error(
            f"{path} was trained again since this {recipe.name} file was made from it: export anew."
        )
    return model


def _hash_of_weights(model: keras.Model) -> str:
    weights = hashlib.sha256()
    for weight in model.get_weights():
        weights.update(weight.tobytes())
    return weights.hexdigest()


def _require_trainable(source: Source, recipe: Recipe) -> None:
    if source.run.is_saved_model:
        raise UsageError(
            f"{recipe.name} trains the network on, and the layers of a SavedModel are not seen: "
            "export its .keras file."
        )
    if not source.dataset.labeled:
        raise UsageError(
            f"{recipe.name} trains the network on, and nobody has labeled the "
            f"{source.dataset.name} of {source.run.path}: it needs a run with --data folder:PATH."
        )


def _tuned_path(run: Run, steps: Sequence[Technique]) -> Path:
    return run.path / "tuned" / f"{'_'.join(steps)}.keras"


def _tuned(
    source: Source, steps: Sequence[Technique], tuning: Tuning
) -> tuple[keras.Model, list[str]]:
    """Train a network on, or take what was trained on so before; and say if that brought nothing.

    It is kept in the run folder as `tuned/STEPS.keras`, so that recipes which begin alike, and a
    command that is given again, do not train it twice. Where training for 8 bits leaves no more
    validation images right than the static file of the network had before it, that one is kept.
    """
    from .conversion.compression import tune

    model, remarks = source.model, []
    asked = {
        "weights": _hash_of_weights(model),
        "epochs": tuning.epochs,
        "seed": tuning.seed,
        "recipe": json.loads(json.dumps(asdict(tuning.recipe))),
        "flip": tuning.flip,
    }
    for at, step in enumerate(steps):
        path = _tuned_path(source.run, steps[: at + 1])
        about = path.with_suffix(".json")
        kept = json.loads(about.read_bytes()) if path.is_file() and about.is_file() else {}
        if kept.get("asked") == asked:
            model = load_model(path)
        else:
            with progress(f"{source.name}: {step}", tuning.num_steps) as advance:
                trained = tune(model, step, tuning, advance, steps[:at])
            kept = {"asked": asked}
            if step == "aware":
                kept["before"], kept["after"] = (
                    _integer_accuracy(source, network) for network in (model, trained)
                )
            if step != "aware" or kept["after"] > kept["before"]:
                model = trained
            about.unlink(missing_ok=True)  # so it never stands beside another training's network
            path.parent.mkdir(exist_ok=True)
            save_model(model, path)
            write_atomic(about, json.dumps(kept))
        if step == "aware" and kept["after"] <= kept["before"]:
            alone = f"{'_'.join(steps[:at])} and " if at else ""
            remarks.append(
                f"training brought nothing over {alone}static_wi8_ai8, so the weights before it "
                f"are kept: {kept['before']:.2%} of the validation images right, "
                f"{kept['after']:.2%} after"
            )
    return model, remarks


def _integer_accuracy(source: Source, model: keras.Model) -> float:
    """Return what share of the validation images a network's static 8-bit file gets right."""
    float32, validation = convert(model), source.dataset.validation
    ranges = observe(float32, calibration_of(source.run, source.dataset))
    file = Interpreter(quantize(float32, RECIPES["static_wi8_ai8"], ranges))
    answers = file(source.run.preprocessing(validation.images))
    return float(scores(answers, validation.labels)["accuracy"])


def _tuning(source: Source, epochs: int | None, flip: bool | None) -> Tuning:
    from .conversion.compression import Tuning

    config, dataset = source.run.config, source.dataset
    own = config.get("recipe")  # imported weights come without
    recipe = TrainingRecipe(**own) if own else training_recipe(network(config["network"]).recipe)
    if not own or "adopted" in config:
        # Nobody says that these images keep their classes when they are distorted.
        recipe = replace(recipe, shift=0.0, rotation=0.0, flip=False)
    if flip is not None:
        recipe = replace(recipe, flip=flip)
    recipe = replace(recipe, batch_size=min(recipe.batch_size, len(dataset.train.labels)))
    return Tuning(
        dataset.train,
        source.run.preprocessing,
        recipe,
        recipe.flip and dataset.allows_flip,
        config.get("seed", 0),
        epochs or max(1, recipe.epochs // 10),
        dataset.validation,
    )


def _slowness(found: Audit, content: bytes, float32: bytes, image: Float32Images) -> list[str]:
    """Say how slow a file is that XNNPACK takes nothing of, where that is more than noise."""
    if found.delegated_nodes != 0:
        return []
    slow, fast = (_latency(data, image) for data in (content, float32))
    ratio = student_ratio(np.divide(*interleave(slow, fast, SLOWNESS_TURNS)).tolist())
    if ratio.low <= 1:
        return []
    return [
        f"takes {ratio.value:.2g} times as long as float32 on reference kernels here "
        f"(95 % interval {ratio.low:.2g} to {ratio.high:.2g})"
    ]


def _latency(data: bytes, image: Float32Images) -> Callable[[], float]:
    """Return a function that times inferences of a file, one or as many as fit into a moment."""
    interpreter = Interpreter(data)
    interpreter.set_input(interpreter.quantize(image))
    interpreter.invoke()

    def seconds() -> float:
        runs, began = 0, time.perf_counter()
        while not runs or time.perf_counter() - began < SLOWNESS_SECONDS:
            interpreter.invoke()
            runs += 1
        return (time.perf_counter() - began) / runs

    return seconds


def file_name(source: Source, recipe: Recipe) -> str:
    """Return what a file is called, whether it passes or not."""
    return f"{source.name}_{recipe.file_suffix}.tflite"


def add_to_app(document: dict[str, Any], names: Sequence[str], out: Path, models: Path) -> None:
    """Copy the files of an export that passed into the Android app, which lists what it finds.

    What an earlier export put there under the name of a file that is refused now goes from it.

    Args:
        document: What `export` returned.
        names: Of all its files, see `file_name`.
        out: Its folder.
        models: The app's folder for them, from `app_models`.
    """
    for row, name in zip(document["files"], names, strict=True):
        copy = models / name
        if row["accepted"]:
            write_atomic(copy, (out / name).read_bytes())
            log(f"in the app: {copy}")
        elif copy.is_file():
            copy.unlink()
            log(f"no longer in the app, for it is refused: {copy}")


def app_models(app: Path) -> Path:
    """Return the folder in which the Android app has its models.

    Args:
        app: `android_demo/` of a clone.

    Raises:
        UsageError: There is no app.
    """
    main = app / "app/src/main"
    if not main.is_dir():
        raise UsageError(f"No Android app in {app}: --android needs a clone of cnn-keras.")
    return main / "assets/models"


def _origin(source: Source) -> str:
    """Say in one line what network it is and who trained it."""
    config = source.run.config
    network, imported = config["network"], config.get("imported")
    if "adopted" in config:
        return f"{network} {config['adopted']['origin']}"
    if source.run.is_ensemble:
        network = f"ensemble of {len(config['members'])} {network}"
    if imported is None:
        return f"{network} trained on {source.dataset.name} by cnn-keras"
    return f"{network} with the weights {imported['file']} of {imported['publisher']}"


def _require_writable(out: Path) -> None:
    """Find out before the work, not after it, that the folder takes files."""
    probe = out / ".writable"
    try:
        write_atomic(probe, "")
        probe.unlink()
    except OSError as error:
        error.filename = out  # nobody has heard of the probe
        raise
