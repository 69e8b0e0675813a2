"""Models from elsewhere as run folders, so that everything that takes a run takes them.

A `.keras` or `.h5` file, a SavedModel folder, or a network of `keras.applications` becomes a model
from RGB, or gray, to probabilities. What it lacks is put around it:

Caffe's order of channels   a fixed 1×1 convolution in front
logits                      a softmax
one score for two classes   the probabilities of both; the score is the second's

Nobody says how it was trained: where it is trained on for a file, that is by `recipes.ADOPTED`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
import re
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..command import log, quiet
from ..data import datasets, photographs
from ..data.preprocessing import Preprocessing
from ..data.sources import SOURCES
from ..data.splits import SPLIT_SEED, stratified_indices
from ..errors import Error, UsageError, reason_of, unknown
from ..model_files import keras2, saved_model
from ..model_files.layer_weights import HDF5_FILES, TORCH_FILES
from ..model_files.scopes import scope_name
from ..training.classifier_head import (
    are_probabilities,
    is_measured,
    remarks_on,
    with_probabilities,
)
from ..training.evaluate import Probabilities, doubt_of
from ..training.recipes import ADOPTED
from ..training.run_folder import Run, import_module, load_model, new_run, predict
from .published import KERAS, class_names
from .source_options import Told

if TYPE_CHECKING:
    import keras

MODEL_FILES = (".keras", *HDF5_FILES)
TRIED_IMAGES = 100  # that show what a model gives, and whether it makes sense


class Normalization(NamedTuple):
    """What a network takes pixels as: `(pixel - mean) / std`, pixels from 0 to 255.

    Attributes:
        mean: Of red, green and blue.
        std: Of the same.
        reverses: Whether the network takes blue, green and red.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    reverses: bool = False


Ends = NDArray[np.float32]
"""What a model's own rescaling makes of pixels of 0 and of 255; see `front`."""

AS_THEY_ARE = Normalization((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


# What to do with files of other kinds, by their endings.
_ELSEWHERE = {
    ".tflite": "verify, audit and benchmark take .tflite files",
    ".pb": "of a SavedModel, give the folder",
    ".weights.h5": "load these weights into their network, and save that as .keras",
    **dict.fromkeys(TORCH_FILES, "import-weights makes a run folder of torchvision's weights"),
}


def is_model_file(path: Path) -> bool:
    """Return whether a file holds a model of Keras, by its name."""
    return path.suffix.lower() in MODEL_FILES


def require_kind(source: Path) -> None:
    """Refuse a file that is no model of Keras, by its name.

    Raises:
        UsageError: It is of another kind.
    """
    if source.is_dir():
        return
    name = source.name.lower()
    hints = [hint for ending, hint in _ELSEWHERE.items() if name.endswith(ending)]
    if hints or (source.exists() and not is_model_file(source)):
        raise UsageError(
            f"export does not take {source}, but a run folder, a .keras, .h5 or .hdf5 file, a "
            f"SavedModel folder, or a name of keras.applications{'; '.join(['', *hints])}."
        )


def is_foreign(source: Path) -> bool:
    """Return whether a path is a model from elsewhere, not a run folder nor a file in one.

    A name that is no path may be one of `keras.applications`.
    """
    if source.is_dir():
        return saved_model.is_there(source)
    if is_model_file(source):
        return not Run(source.parent).exists
    return not source.exists() and source.name == str(source)


def adopt(
    source: Path, told: Told, folder: Path, data_dir: Path | None = None
) -> tuple[Run, datasets.Dataset]:
    """Make a run folder of a model from elsewhere, or take the one that was made so before.

    Args:
        source: The file or folder, or a name of `keras.applications`.
        told: What is known of it.
        folder: Where the run folder comes to lie, called as the model.
        data_dir: Where the data set may lie.

    Returns:
        The run, and its data set as it is.

    Raises:
        UsageError: Something is to be told, or does not fit; the model is no image classifier; the
            run folder is another's.
        Error: Model or data set cannot be had, or the model makes no sense of pictures.
    """
    check(source, told)
    config = _config(source, told)
    out = folder / config["network"]
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        run = Run(out)
        _require_same(run, config)
        return run, run.load(data_dir)
    model, own, ends = _open(source, told, config["network"])
    shape = _image_shape(model, source, told.image_size)
    model = _one_to_one(model, shape, source)
    seen = _normalization(told, own, ends, source, shape[2])
    _require_whole(seen, _type(model), source)
    preprocessing = Preprocessing(*shape, seen.mean, seen.std)
    dataset = datasets.load(config["data"], data_dir, shape)
    model = _with_front(model, shape, seen.reverses, config["network"])
    places = stratified_indices(dataset.validation.labels, TRIED_IMAGES, SPLIT_SEED)
    tried = dataset.validation.take(places).resized(preprocessing)
    scores = predict(model, preprocessing, tried.images)
    _require_sense(scores, source)
    # All of them again: for a batch of another size, random operations with a seed begin anew.
    again = predict(model, preprocessing, tried.images)
    if not np.allclose(again, scores, rtol=1e-3, atol=1e-3):
        raise Error(
            f"{source} gives other scores each time it is asked: it distorts its images at random. "
            "Leave layers that augment out of what is saved."
        )
    remarks = [*_scaled_twice(told, seen, ends, source), *remarks_on(model, scores)]
    model = with_probabilities(model, scores)
    classes = _class_names(model.output_shape[-1], told.labels, dataset)
    labels = dataset.with_classes(classes).validation.labels[places]
    if dataset.fingerprint is not None:
        config["contents"] = dataset.fingerprint
    answers = predict(model, preprocessing, tried.images)
    doubt = doubt_of(answers, labels if dataset.labeled else None, classes)
    if doubt and scores.shape[1] == 1 and not are_probabilities(scores):
        remarks.append(
            f"The model's one score, {scores.min():.4g} to {scores.max():.4g}, is taken as the "
            f"logit of '{classes[1]}': if it measures something, it is no classifier."
        )
    config["remarks"] = remarks
    with new_run(out) as run:
        if saved_model.is_inside(model):
            with quiet(1, 2):  # TensorFlow says what assets it writes
                model.export(run.path / "saved_model", verbose=False)
        else:
            model.save(run.path / "model.keras")
        run.describe(config, preprocessing, classes)
    height, width, channels = shape
    log(
        f"{out}: {source} as a run, {height}×{width} {'gray' if channels == 1 else 'RGB'}, "
        f"{len(classes)} classes, {classes[0]} to {classes[-1]}"
    )
    for remark in [*remarks, *([doubt] if doubt else [])]:
        log(remark)
    return Run(out), dataset


def check(source: Path, told: Told) -> None:
    """Find what can be found without Keras to be wrong with a request.

    Raises:
        UsageError: Options contradict each other, or one is missing or has no such value.
        Error: A file is missing.
    """
    named = not source.exists()
    if named and is_model_file(source):
        raise Error(f"No such model: {source}.")
    if told.pixel_range and told.preprocessing:
        raise UsageError("Give --pixel-range or --preprocessing, not both.")
    if told.pixel_range and not told.pixel_range[0] < told.pixel_range[1]:
        raise UsageError("--pixel-range takes the value of black and a greater one, of white.")
    if told.image_size is not None and told.image_size < 1:
        raise UsageError(f"--image-size must be above 0, not {told.image_size}.")
    if told.weights and not named:
        raise UsageError(f"{source} has weights: --weights is for names of keras.applications.")
    if told.data is None and not named:
        raise UsageError(
            f"Name the data set that {source} is judged on with --data: "
            f"{', '.join(SOURCES)}, {datasets.FOLDER}PATH or {photographs.NAME}."
        )
    for path in (told.labels, told.weights):
        if path is not None and not path.is_file():
            raise Error(f"No such file: {path}.")
    _data_name(told)


def _data_name(told: Told) -> str:
    return datasets.absolute_name(told.data or photographs.NAME, labeled=False)


def _config(source: Path, told: Told) -> dict[str, Any]:
    """Return what the run keeps of what was asked for, as JSON types."""
    named = not source.exists()
    if named:
        origin = f"of keras.applications with {told.weights or 'the weights of ImageNet'}"
    else:
        origin = f"from {source.resolve().name}"
    stem = source.stem if is_model_file(source) else source.resolve().name
    adopted = {
        "origin": origin,
        "model": None if named else _sha256(source),
        "pixel_range": told.pixel_range,
        "preprocessing": told.preprocessing,
        "labels": told.labels and _sha256(told.labels),
        "weights": told.weights and _sha256(told.weights),
        "image_size": told.image_size,
        "modules": told.modules,
    }
    config = {
        "network": re.sub(r"[^\w.-]", "_", stem),
        "options": {},
        "data": _data_name(told),
        "train_images": None,
        "seed": 0,
        "recipe": asdict(ADOPTED),
        "adopted": adopted,
    }
    document: dict[str, Any] = json.loads(json.dumps(config))
    return document


def _sha256(path: Path) -> str:
    """Return the hash of a file, or of all that is in a folder."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    files = sorted(file for file in path.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(path)} {_sha256(file)}\n" for file in files]
    return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


def _require_same(run: Run, config: dict[str, Any]) -> None:
    """Check that a folder holds this very model, told of in the same way."""
    if not run.exists or "adopted" not in run.config:
        raise UsageError(f"{run.path} exists and is something else: choose another --out.")
    before, now = (c["adopted"] | {"data": c["data"]} for c in (run.config, config))
    if differing := [name for name in now if before.get(name) != now[name]]:
        names = dict.fromkeys("model" if name == "origin" else name for name in differing)
        raise UsageError(
            f"{run.path} was made with another {', '.join(names).replace('_', ' ')}: delete "
            "it, or choose another --out."
        )


def _open(
    source: Path, told: Told, name: str
) -> tuple[keras.Model, Normalization | None, Ends | None]:
    """Return a model, what it takes pixels as, if it says so, and what `front` finds."""
    if saved_model.is_there(source):
        model = saved_model.load(source, name)
        ends = None  # nobody sees its layers
    elif not is_model_file(source):
        model, own = _application(name, told)
        return model, own, front(model)
    else:
        for module in told.modules:
            import_module(module)
        try:
            model = load_model(source)
            ends = front(model)
        except keras2.Keras2Error as error:
            model, ends = _through_tf_keras(source, name, error)
    usual = ends is not None and are_usual(ends)
    return model, AS_THEY_ARE if usual or _type(model) == "uint8" else None, ends


def _through_tf_keras(
    source: Path, name: str, reason: keras2.Keras2Error
) -> tuple[keras.Model, Ends | None]:
    """Load what Keras 3 cannot as a SavedModel that tf_keras writes; see `front`, too."""
    with tempfile.TemporaryDirectory() as folder:
        with quiet(1, 2):  # TensorFlow says what assets it writes
            ends = front(keras2.to_saved_model(source, Path(folder), reason))
        model = saved_model.load(Path(folder), name)
    log(f"{source}: loaded by tf_keras as a SavedModel, whose layers cannot be trained on")
    return model, ends


def _type(model: keras.Model) -> str:
    """Return the type of a model's images, as numpy names it."""
    inputs = getattr(model, "inputs", None)
    return str(inputs[0].dtype) if inputs else "float32"


def front(model: Any) -> Ends | None:
    """Return what a model's own rescaling makes of pixels of 0 and of 255.

    Args:
        model: Of Keras 3 or `tf_keras`. `Rescaling` and `Normalization` count where they come
            before all that learns and all functions, which nobody sees into.

    Returns:
        `(2, channels)`, or `(2, 1)` where all channels are alike; None if it does not rescale.
    """
    library = keras2.library_of(model)
    scaling = library.layers.Rescaling, library.layers.Normalization
    ends, found = np.array([0, 255], np.float32).reshape(2, 1, 1, 1), False
    for layer in _leaves(model, library.Model):
        if isinstance(layer, scaling):
            ends, found = np.asarray(layer(ends)), True
        elif getattr(layer, "weights", ()) or not _keeps_pixels(layer):
            break
    # Statistics of each place by itself divide by almost nothing where all pictures are alike.
    return np.median(ends, axis=(1, 2)) if found else None


def _leaves(model: Any, kind: type) -> Iterator[Any]:
    """Return a model's layers and functions, those of models inside it (`kind`) in their place."""
    for operation in getattr(model, "operations", model.layers):
        if isinstance(operation, kind):
            yield from _leaves(operation, kind)
        else:
            yield operation


def _keeps_pixels(operation: Any) -> bool:
    """Return whether an operation without weights is a layer, which may move pixels, or a cast."""
    import keras

    name = type(operation).__name__
    if isinstance(operation, keras.Operation):
        return isinstance(operation, keras.Layer) or name == "Cast"
    return name not in keras2.FUNCTIONS


def are_usual(ends: Ends) -> bool:
    """Return whether pixels from 0 to 255 can be what a model's own rescaling is made for.

    They come out as small numbers, as by 1/255, 1/127.5 or the deviations of pictures, or centered
    as they are, as by the mean alone. Made for pixels from 0 to 1 or from -1 to 1, it brings 255
    far out: deviations there are at most 0.5 and 1, which gives a span of 510 or 255. Of the
    1/16 for scikit-learn's digits 255 becomes 16; and 1/65535, for 16 bits, leaves next to nothing.

    Args:
        ends: What `front` returns.

    Example:
        >>> [are_usual(np.array([[low], [high]])) for low, high in ((0, 1), (-1, 509), (-124, 131))]
        [True, False, True]
    """
    low, high = ends.min(axis=0), ends.max(axis=0)
    span = high - low
    small = (np.abs(ends) <= 10).all() and (span >= 0.5).all()
    centered = (np.abs(span - 255) < 1).all() and (low < -32).all() and (high > 32).all()
    return bool(small or centered)


def _application(name: str, told: Told) -> tuple[keras.Model, Normalization]:
    """Build a network of `keras.applications` with its weights."""
    import keras

    networks = dict(inspect.getmembers(keras.applications, inspect.isfunction))
    if name not in networks:
        raise unknown("run folder, model or network of keras.applications", name, networks)
    build = networks[name]
    size = told.image_size
    options: dict[str, Any] = {"input_shape": (size, size, 3)} if size else {}
    try:
        if told.weights:
            options["classes"] = _num_classes(build(weights=None, **options), told.weights)
        own = keras2.named(told.weights, told.weights.name.lower()) if told.weights else None
        # Keras tells on stdout of its download.
        with redirect_stdout(sys.stderr), own or nullcontext("imagenet") as weights:
            model = build(weights=str(weights), **options)
    except Error:
        raise
    except Exception as error:
        why, details = reason_of(error), str(error)
        if told.weights:
            raise Error(f"{told.weights} does not fit {name}: {why}", details=details) from error
        if isinstance(error, ValueError):  # another size than that of ImageNet's weights
            raise UsageError(f"{name} cannot be built: {why}", details=details) from error
        raise Error(
            f"The weights of {name} cannot be downloaded ({why}): name a file of them with "
            "--weights.",
            details=details,
        ) from error
    return model, probed(sys.modules[build.__module__].preprocess_input)


def _num_classes(model: keras.Model, path: Path) -> int:
    """Return how many classes a file of weights has, by the bias of its classifier."""
    *_, classifier = (layer for layer in model.layers if layer.weights)
    bias = KERAS.read(path).get(f"{classifier.name}/bias")
    return model.output_shape[-1] if bias is None else len(bias)


def probed(preprocess: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Normalization:
    """Read a normalization from what it makes of black, and of red, green and blue alone.

    Args:
        preprocess: Affine in each channel; it may reverse their order.
    """
    black = preprocess(np.zeros((1, 1, 1, 3))).ravel()
    colors = preprocess(255 * np.eye(3).reshape(3, 1, 1, 3)).reshape(3, 3)
    slopes = (colors - black) / 255  # a row for each color, a column for each channel
    reverses = bool(slopes[0, 2])
    if reverses:
        slopes, black = slopes[:, ::-1], black[::-1]
    scale = slopes.diagonal()
    mean, std = (tuple(np.round(values, 6).tolist()) for values in (0.0 - black / scale, 1 / scale))
    return Normalization(mean, std, reverses)


def _normalization(
    told: Told, own: Normalization | None, ends: Ends | None, source: Path, channels: int
) -> Normalization:
    """Return what a model takes pixels as: what was told goes before what it says."""
    if told.pixel_range:
        low, high = told.pixel_range
        std = 255 / (high - low)
        return Normalization((0.0 - low * std,) * channels, (std,) * channels)
    if told.preprocessing:
        from keras.applications import imagenet_utils

        own = probed(partial(imagenet_utils.preprocess_input, mode=told.preprocessing))
        if channels != 3:
            raise UsageError(f"{source} takes gray images: --preprocessing is of RGB.")
    if own is None and ends is not None:
        raise UsageError(
            f"What does {source} take pixels as? It rescales by itself, but makes {ends.min():.4g} "
            f"to {ends.max():.4g} of 0 to 255: give --pixel-range 0 1, --pixel-range -1 1 or "
            "whatever it was trained on, --pixel-range 0 255 if that is right."
        )
    if own is None:
        raise UsageError(
            f"What does {source} take pixels as? Give --pixel-range 0 1, --pixel-range -1 1, "
            "--pixel-range 0 255 if it rescales by itself, or --preprocessing caffe, torch or tf."
        )
    return own._replace(mean=own.mean[:channels], std=own.std[:channels])


def _scaled_twice(told: Told, seen: Normalization, ends: Ends | None, source: Path) -> list[str]:
    """Say so if an option scales pixels for a model that scales them again."""
    as_they_are = not any(seen.mean) and set(seen.std) == {1.0}
    if ends is None or not are_usual(ends) or as_they_are:
        return []
    option = "--pixel-range" if told.pixel_range else "--preprocessing"
    return [
        f"{source} rescales pixels of 0 to 255 by itself, and {option} scales them before it: "
        f"leave {option} out, unless it was trained on pixels that were scaled twice."
    ]


def _require_whole(seen: Normalization, dtype: str, source: Path) -> None:
    """Refuse pixels in fractions, or below 0, for a model that takes images of integers."""
    whole = set(seen.std) == {1.0} and all(mean.is_integer() for mean in seen.mean)
    if dtype == "float32" or (whole and (dtype != "uint8" or not any(seen.mean))):
        return
    raise UsageError(f"{source} takes images of {dtype}: leave --pixel-range 0 255 as it is.")


def _image_shape(model: keras.Model, source: Path, size: int | None) -> tuple[int, int, int]:
    """Return height, width and channels of a model's images."""
    shapes = [tuple(tensor.shape) for tensor in getattr(model, "inputs", None) or ()]
    if not shapes:  # of a class of its own, which says what it was built for
        shapes = [tuple((model.get_build_config() or {}).get("input_shape") or ())]
    if shapes == [()]:
        raise UsageError(
            f"{source} is not built, so that nobody knows what images it takes: give it a "
            "keras.Input((height, width, channels)) as its first layer and save it again."
        )
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][3] not in (1, 3):
        raise UsageError(
            f"{source} takes {', '.join(map(str, shapes))}; expected one image "
            f"(None, height, width, channels), gray or RGB.{_reshaped(shapes)}"
        )
    _, height, width, channels = shapes[0]
    if None in (height, width):
        if size is None:
            raise UsageError(f"{source} takes images of any size: choose one with --image-size.")
        return (height or size, width or size, channels)
    if size not in (None, height, width):
        raise UsageError(f"{source} takes images of {height}×{width}, and no other --image-size.")
    return (height, width, channels)


def _reshaped(shapes: Sequence[tuple[int | None, ...]]) -> str:
    """Say how a model of gray images without channels, or of rows of pixels, comes to take images.

    Args:
        shapes: Of its inputs.
    """
    image: tuple[int | None, ...]
    match shapes:
        case [(_, int(height), int(width))]:
            image = height, width, 1
        case [(_, int(length))] if math.isqrt(length) ** 2 == length:
            image = math.isqrt(length), math.isqrt(length), 1
        case _:
            return ""
    return (
        f" Save it as keras.Sequential([keras.Input({image}), "
        f"keras.layers.Reshape({shapes[0][1:]}), model])."
    )


def _one_to_one(model: keras.Model, shape: tuple[int, int, int], source: Path) -> keras.Model:
    """Return a functional model of one tensor, whatever lists or dicts the given one asks for."""
    import keras

    inputs = getattr(model, "inputs", None)
    image = inputs[0] if inputs else keras.Input(shape, name="image")
    outputs = model.outputs if inputs else keras.tree.flatten(model(image))
    shapes = [tuple(tensor.shape) for tensor in outputs]
    if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][1] is None:
        raise UsageError(
            f"{source} gives {', '.join(map(str, shapes))}; expected one row of class scores "
            "(None, num_classes)."
        )
    return keras.Model(image, outputs[0], name=model.name)


def _with_front(
    model: keras.Model, shape: tuple[int, int, int], reverses: bool, name: str
) -> keras.Model:
    """Return a model that takes any number of images of fixed size, and RGB."""
    import keras

    if model.input_shape == (None, *shape) and not reverses:
        return model
    x = image = keras.Input(shape, name="image")
    if reverses:
        # Reversing a tensor takes an operation that XNNPACK does not have.
        reverse = keras.layers.Conv2D(3, 1, use_bias=False, trainable=False, name="rgb_to_bgr")
        x = reverse(x)
        reverse.set_weights([np.eye(3)[::-1].reshape(1, 1, 3, 3)])
    return keras.Model(image, model(x), name=scope_name(name))


def _require_sense(scores: Probabilities, source: Path) -> None:
    if not np.isfinite(scores).all():
        raise Error(f"{source} gives NaN or infinity for pictures: is it trained?")
    if not np.ptp(scores, axis=0).any():
        raise Error(
            f"{source} gives the same scores for {len(scores)} pictures: is it trained, and are "
            "they normalized as it needs them?"
        )
    if is_measured(scores):
        raise Error(
            f"{source} gives one score, {scores.min():.4g} to {scores.max():.4g} for "
            f"{len(scores)} pictures, which looks like regression: as logits of two classes all "
            "would be certain of the same one. Expected a classifier; if it is one, are the pixels "
            "as it needs them?"
        )


def _class_names(count: int, labels: Path | None, dataset: datasets.Dataset) -> tuple[str, ...]:
    """Return the names of a network's classes: those of a file, the data set's, or others.

    The file's may be numbered, as Teachable Machine writes "0 cat": the numbers are left out where
    the data set's classes are among the names without them, and not among those with them.
    """
    if labels is None and len(dataset.classes) == count:
        return dataset.classes
    names = class_names(count, labels)
    numbers, _, plain = zip(*(name.partition(" ") for name in names), strict=True)
    numbered = numbers == tuple(map(str, range(count)))
    classes = {*dataset.classes}
    if numbered and classes and classes <= {*plain} and not classes <= {*names}:
        return plain
    return names
