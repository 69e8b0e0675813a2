"""Import of an external model as a run folder, which every command takes.

A `.keras` or `.h5` file, a SavedModel folder, or a network of `keras.applications` becomes a model
from RGB or gray images to probabilities. Layers are added where the model

- expects the channels in Caffe's order, BGR: a fixed 1×1 convolution before it;
- gives logits: a softmax;
- gives one score for two classes: the probabilities of both, where the score is the second's.

The settings of its training are unknown: recipes that train it further use `recipes.EXTERNAL`.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..command import log, quiet
from ..data import datasets, photographs
from ..data.preprocessing import Preprocessing
from ..data.splits import SPLIT_SEED, stratified_indices
from ..errors import Error, UsageError
from ..model_files import saved_model
from ..training.evaluate import Probabilities, baseline_warning
from ..training.predict import predict
from ..training.probabilities import (
    are_probabilities,
    looks_like_regression,
    score_remarks,
    with_probabilities,
)
from ..training.recipes import EXTERNAL
from ..training.run_folder import Run, new_run
from .external_model import (
    image_shape,
    input_dtype,
    is_model_file,
    load,
    with_rgb_batches,
    with_single_tensors,
)
from .labels import class_names_for
from .normalization import choose_normalization, double_rescaling_remarks, require_integer_pixels
from .source_options import SourceOptions

if TYPE_CHECKING:
    import keras

NUM_SAMPLES = 100  # images that show whether the scores of a model make sense


def import_model(
    source: Path, options: SourceOptions, folder: Path, data_dir: Path | None = None
) -> tuple[Run, datasets.Dataset]:
    """Import an external model as a run folder, or return the folder of an earlier import.

    Args:
        source: File, SavedModel folder, or name of keras.applications.
        options: What is known about the model.
        folder: Where the run folder is written, under the model's name.
        data_dir: Folder in which the data set is looked for first.

    Returns:
        The run, and its data set before preprocessing.

    Raises:
        UsageError: An option is missing or does not fit, the model is not an image classifier, or
            the run folder holds something else.
        Error: The model or the data set cannot be loaded, or the scores make no sense.
    """
    check_options(source, options)
    config = _config(source, options)
    out = folder / config["network"]
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        run = Run(out)
        _require_same_import(run, config)
        return run, run.raw_dataset(data_dir)
    model, known, rescaled = load(source, options, config["network"])
    shape = image_shape(model, source, options.image_size)
    model = with_single_tensors(model, shape, source)
    normalization = choose_normalization(options, known, rescaled, source, shape[2])
    require_integer_pixels(normalization, input_dtype(model), source)
    preprocessing = Preprocessing(*shape, normalization.mean, normalization.std)
    dataset = datasets.load(config["data"], data_dir, shape)
    model = with_rgb_batches(model, shape, normalization.is_bgr, config["network"])
    indices = stratified_indices(dataset.validation.labels, NUM_SAMPLES, SPLIT_SEED)
    images = dataset.validation.take(indices).resized(preprocessing).read()
    scores = _checked_scores(model, preprocessing, images, source)
    remarks = double_rescaling_remarks(options, normalization, rescaled, source)
    remarks += score_remarks(model, scores)
    model = with_probabilities(model, scores)
    classes = class_names_for(dataset, model.output_shape[-1], options.labels)
    labels = dataset.with_classes(classes).validation.labels[indices]
    if dataset.fingerprint is not None:
        config["contents"] = dataset.fingerprint
    probabilities = predict(model, preprocessing, images)
    doubt = baseline_warning(probabilities, labels if dataset.labeled else None, classes)
    if doubt and scores.shape[1] == 1 and not are_probabilities(scores):
        remarks.append(
            f"The model's one score, {scores.min():.4g} to {scores.max():.4g}, is taken as the "
            f"logit of '{classes[1]}'. If it is a measurement, the model is not a classifier."
        )
    config["remarks"] = remarks
    with new_run(out) as run:
        _save(model, run)
        run.describe(config, preprocessing, classes)
    height, width, channels = shape
    log(
        f"{out}: {source} as a run, {height}×{width} {'gray' if channels == 1 else 'RGB'}, "
        f"{len(classes)} classes, {classes[0]} to {classes[-1]}"
    )
    for remark in [*remarks, *([doubt] if doubt else [])]:
        log(remark)
    return Run(out), dataset


def check_options(source: Path, options: SourceOptions) -> None:
    """Check the options for a model, as far as that is possible without Keras.

    Raises:
        UsageError: Options contradict each other, or one is missing or has no such value.
        Error: A file is missing.
    """
    is_name = not source.exists()
    if is_name and is_model_file(source):
        raise Error(f"No such model: {source}.")
    if options.pixel_range and options.preprocessing:
        raise UsageError("Give --pixel-range or --preprocessing, not both.")
    if options.pixel_range and not options.pixel_range[0] < options.pixel_range[1]:
        raise UsageError("--pixel-range takes the value of black and a greater value of white.")
    if options.image_size is not None and options.image_size < 1:
        raise UsageError(f"--image-size must be above 0, not {options.image_size}.")
    if options.weights and not is_name:
        raise UsageError(f"{source} has weights: --weights is for names of keras.applications.")
    if options.data is None and not is_name:
        raise UsageError(
            f"Name the data set that {source} is evaluated on with --data: "
            f"{', '.join(datasets.NAMES)} or {photographs.NAME}."
        )
    for path in (options.labels, options.weights):
        if path is not None and not path.is_file():
            raise Error(f"No such file: {path}.")
    _data_name(options)


def _data_name(options: SourceOptions) -> str:
    return datasets.absolute_name(options.data or photographs.NAME, labeled=False)


def _config(source: Path, options: SourceOptions) -> dict[str, Any]:
    """Return the configuration of the run, as JSON types."""
    is_name = not source.exists()
    if is_name:
        origin = f"of keras.applications with {options.weights or 'the weights of ImageNet'}"
    else:
        origin = f"from {source.resolve().name}"
    stem = source.stem if is_model_file(source) else source.resolve().name
    adopted = {
        "origin": origin,
        "model": None if is_name else _sha256(source),
        "pixel_range": options.pixel_range,
        "preprocessing": options.preprocessing,
        "labels": options.labels and _sha256(options.labels),
        "weights": options.weights and _sha256(options.weights),
        "image_size": options.image_size,
        "modules": options.modules,
    }
    config = {
        "network": re.sub(r"[^\w.-]", "_", stem),
        "options": {},
        "data": _data_name(options),
        "train_images": None,
        "seed": 0,
        "recipe": EXTERNAL.to_dict(),
        "adopted": adopted,
    }
    document: dict[str, Any] = json.loads(json.dumps(config))
    return document


def _sha256(path: Path) -> str:
    """Return the hash of a file, or of all files in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path)} {_sha256(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _require_same_import(run: Run, config: dict[str, Any]) -> None:
    """Check that a folder holds the same model, imported with the same options."""
    if not run.has_description or "adopted" not in run.config:
        raise UsageError(
            f"{run.path} exists and is not a run of an external model: choose another --out."
        )
    before, now = (c["adopted"] | {"data": c["data"]} for c in (run.config, config))
    if differing := [name for name in now if before.get(name) != now[name]]:
        names = dict.fromkeys("model" if name == "origin" else name for name in differing)
        raise UsageError(
            f"{run.path} was made with another {', '.join(names).replace('_', ' ')}: delete "
            "it, or choose another --out."
        )


def _checked_scores(
    model: keras.Model, preprocessing: Preprocessing, images: NDArray[np.uint8], source: Path
) -> Probabilities:
    """Return the scores of a model for some images, `(n, outputs)`.

    Raises:
        Error: They are not finite, the same for all images, different on a second run, or like
            those of a regression.
    """
    scores = predict(model, preprocessing, images)
    if not np.isfinite(scores).all():
        raise Error(f"{source} gives NaN or infinity for images: is it trained?")
    if not np.ptp(scores, axis=0).any():
        raise Error(
            f"{source} gives the same scores for {len(scores)} images: is it trained, and are "
            "they normalized as it expects?"
        )
    if looks_like_regression(scores):
        raise Error(
            f"{source} gives one score, {scores.min():.4g} to {scores.max():.4g} for "
            f"{len(scores)} images, which looks like regression: as logits of two classes all "
            "would be certain of the same class. Expected a classifier; if it is one, are the "
            "pixels normalized as it expects?"
        )
    # Repeat all images: random operations with a seed restart for a batch of another size.
    again = predict(model, preprocessing, images)
    if not np.allclose(again, scores, rtol=1e-3, atol=1e-3):
        raise Error(
            f"{source} gives different scores for the same images, because it augments them at "
            "random. Leave augmentation layers out of the saved model."
        )
    return scores


def _save(model: keras.Model, run: Run) -> None:
    if saved_model.contains_saved_model(model):
        with quiet(1, 2):  # TensorFlow prints what assets it writes
            model.export(run.path / "saved_model", verbose=False)
    else:
        model.save(run.path / "model.keras")
