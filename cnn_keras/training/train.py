"""Training a network of the zoo with `model.fit`, resumable to the bit.

An epoch's order, distortions and dropout depend only on the seed and the epoch's number, and after
every epoch network and optimizer are saved together. So a training that was killed goes on from its
last epoch and ends with the weights of one that was not.

GoogLeNet alone differs in the last bits, even between two trainings that nothing disturbed:
TensorFlow sums the gradients of three or more branches in the order in which they are ready.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .. import zoo
from ..command import log, write_atomic
from ..data import datasets
from ..data.datasets import absolute_name
from ..data.preprocessing import Preprocessing, UInt8Images
from ..data.sources import SOURCES
from ..data.splits import Split
from ..errors import Error, UsageError
from ..machine import hardware, versions
from ..model_files.layer_weights import load_by_name, main_network
from . import recipes
from .evaluate import results
from .fine_tuning import Pretrained, freeze_until, options_of
from .recipes import Recipe
from .run_folder import DESCRIPTION, Run, batch_size, is_free, load_model, predict, uses_xla

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


@dataclass(frozen=True)
class Training:
    """What to train, on what, and how; `config.json` in full.

    Attributes:
        network: Row of the zoo.
        options: The family's own choices.
        data: Data set name; of a folder with its absolute path.
        seed: Of the initial weights, the order and the distortions.
        train_images: Use this many training images, seeded and stratified; all by default.
        image_size: Side of the square input; by default see `input_shape`.
        weights: File or run folder to start from, as an absolute path.
        freeze_until: Paper row up to which those weights stay as they are.
        recipe: The paper's, with what was overridden.
    """

    network: str
    data: str
    recipe: Recipe
    seed: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    train_images: int | None = None
    image_size: int | None = None
    weights: str | None = None
    freeze_until: str | None = None

    @classmethod
    def of(
        cls,
        network: str,
        data: str,
        *,
        recipe: dict[str, Any],
        options: dict[str, Any] | None = None,
        weights: Path | None = None,
        **others: Any,
    ) -> Training:
        """Return the training by the network's own recipe, with some of its values replaced.

        Weights that are a run's come with its options, unless others are given.

        Raises:
            UsageError: An unknown network or data set, another network's weights, or a value that
                no training can have.
        """
        values = asdict(recipes.recipe(zoo.network(network).recipe))
        values |= {key: value for key, value in recipe.items() if value is not None}
        others["options"] = options or {}
        if weights is not None:
            weights = weights.expanduser().resolve()
            others["weights"] = str(weights)
            others["options"] = options_of(weights, network) | others["options"]
        training = cls(network, absolute_name(data), Recipe(**values), **others)
        for key in ("learning_rate", "batch_size", "epochs", "train_images", "image_size"):
            value = (values | vars(training))[key]
            if value is not None and value <= 0:
                raise UsageError(f"The {key.replace('_', ' ')} must be above 0, not {value}.")
        if training.seed < 0:
            raise UsageError(f"The seed must not be below 0: {training.seed}.")
        if not 0 <= training.recipe.momentum < 1:
            raise UsageError(f"The momentum must be from 0 to below 1, not {values['momentum']}.")
        if training.recipe.weight_decay < 0:
            raise UsageError(f"The weight decay must not be below 0: {values['weight_decay']}.")
        marks = training.recipe.milestones
        if list(marks) != sorted(set(marks)) or any(not 0 < mark < 1 for mark in marks):
            raise UsageError(f"Milestones rise from above 0 to below 1, unlike {list(marks)}.")
        if not 0 <= training.recipe.shift < 1:
            raise UsageError(f"The shift must be from 0 to below 1, not {training.recipe.shift}.")
        if not 0 <= training.recipe.rotation <= 180:
            raise UsageError(f"The rotation must be from 0 to 180: {training.recipe.rotation}.")
        if training.recipe.warmup_steps < 0:
            raise UsageError(f"Warm-up steps must not be below 0: {training.recipe.warmup_steps}.")
        if training.recipe.warmup_steps and training.recipe.warmup_rate <= 0:
            raise UsageError(f"The warm-up rate must be above 0, not {values['warmup_rate']}.")
        if training.recipe.factor <= 0:
            raise UsageError(f"The factor must be above 0, not {training.recipe.factor}.")
        if training.freeze_until is not None and weights is None:
            raise UsageError("Rows that start at random cannot be frozen: name their --weights.")
        return training


def train(
    training: Training, out: Path, data_dir: Path | None = None, tensorboard: bool = False
) -> Run:
    """Train a network, or go on where a training of the same configuration stopped.

    Args:
        training: What to train.
        out: The run folder.
        data_dir: Where the data set may lie.
        tensorboard: Also write `out/tensorboard`.

    Returns:
        The finished run, with `model.keras` and `metrics.json`.

    Raises:
        UsageError: The network has no such option, `out` holds a training of another
            configuration, or the weights to start from do not fit.
        Error: The loss is no longer a number, or the data cannot be had.
        KeyboardInterrupt: The run is left resumable.
    """
    import keras

    run = Run(out)
    # As the values that they spell: whether "true" or "True" was written is no difference.
    training = replace(training, options=zoo.checked_options(training.network, training.options))
    config = json.loads(json.dumps(asdict(training)))  # as it is read back
    begun = all((out / name).is_file() for name in DESCRIPTION)
    if (out / "config.json").is_file():
        _require_same(run, config)
        if (out / "metrics.json").is_file():
            log(f"{out} is finished already; delete it to train again.")
            return run
    elif not is_free(out):
        raise UsageError(f"{out} exists and is not a run folder: choose another --out.")

    keras.utils.set_random_seed(training.seed)
    recipe = training.recipe
    last = out / "last.keras"
    start = None
    if training.weights is not None and not last.is_file():
        start = Pretrained.open(Path(training.weights))
    if begun:
        dataset, preprocessing = run.load(data_dir), run.preprocessing
        if run.classes != dataset.classes:
            raise Error(
                f"{out / 'labels.txt'} has {len(run.classes)} lines, which are not the "
                f"{len(dataset.classes)} classes of {dataset.name}: put the whole file back, or "
                f"delete {out} to train anew."
            )
    else:
        shape = input_shape(training, start)
        dataset = datasets.load(training.data, data_dir, shape)
        preprocessing = fit_preprocessing(dataset.train.images, shape, start)
    steps = _num_train(training, dataset) // recipe.batch_size
    if steps == 0:
        raise UsageError(
            f"{_num_train(training, dataset)} training images are less than one batch of "
            f"{recipe.batch_size}: lower --batch-size."
        )
    if last.is_file():
        zoo.import_builder(zoo.network(training.network))
        model = _resumed(run, steps)
        log(f"Resume after epoch {int(model.optimizer.iterations) // steps} of {recipe.epochs}.")
    else:
        model = _build(training, preprocessing, dataset.classes, start)
        compile_model(model, recipe, steps, zoo.network(training.network).loss_weights)
    if not begun:
        contents = {} if dataset.fingerprint is None else {"contents": dataset.fingerprint}
        run.describe(config | contents, preprocessing, dataset.classes)
    dataset = run.prepare(dataset)
    first = int(model.optimizer.iterations) // steps

    recorder = _recorder(run, model, training, first, steps)
    callbacks = [recorder]
    if tensorboard:
        callbacks.append(keras.callbacks.TensorBoard(out / "tensorboard"))
    if first < recipe.epochs:
        flip = recipe.flip and dataset.allows_flip
        if flip and dataset.fingerprint is not None:
            log("Pictures are mirrored at random; for letters, arrows and the like: --flip False.")
        stream = training_batches(dataset.train, preprocessing, recipe, flip, training.seed, first)
        held_out = batches(dataset.validation, preprocessing)
        try:
            model.fit(
                _for_every_output(stream, model),
                validation_data=_for_every_output(held_out, model),
                initial_epoch=first,
                epochs=recipe.epochs,
                steps_per_epoch=steps,
                callbacks=callbacks,
                shuffle=False,  # the batches are in their order already
                verbose=0,
            )
        finally:
            recorder.bar.stop()  # or an interrupted terminal keeps its cursor hidden
    _finish(run, model, dataset, preprocessing)
    return run


def input_shape(training: Training, start: Pretrained | None) -> tuple[int, int, int]:
    """Return height, width and channels of the network's input.

    Those of the weights that it starts from; else those of the data set, in no less than the
    network's least size; else, for a folder of pictures, the paper's. `image_size` goes before all.
    """
    row = zoo.network(training.network)
    if start is not None and start.shape is not None:
        height, width, channels = start.shape
    elif training.data in SOURCES:
        height, width, channels = SOURCES[training.data].shape
        height = width = max(height, width, row.min_image_size)
    else:
        height, width, channels = row.input_shape
    side = training.image_size
    return (side, side, channels) if side else (height, width, channels)


def fit_preprocessing(
    images: UInt8Images, shape: tuple[int, int, int], start: Pretrained | None = None
) -> Preprocessing:
    """Return how pictures become the network's input.

    Args:
        images: The training images `(n, height, width, channels)`.
        shape: Height, width and channels of the network's input.
        start: Weights to start from; what their input was normalized with is kept.

    Returns:
        The normalization of `start`, or that by the training pixels' mean and deviation.
    """
    height, width, channels = shape
    if start is not None and start.preprocessing is not None:
        return replace(start.preprocessing, height=height, width=width)
    if images.shape[-1] != channels:
        unscaled = Preprocessing(height, width, channels, (0.0,) * channels, (1.0,) * channels)
        images = unscaled.resize(images)
    mean, std = _pixel_statistics(images)
    return Preprocessing(
        height,
        width,
        channels,
        tuple(round(float(value), 3) for value in mean),
        # A channel may be empty, as in microscopy.
        tuple(round(float(value), 3) or 1.0 for value in std),
    )


def _pixel_statistics(images: UInt8Images) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each channel's mean and deviation; exact, for the sums are of integers."""
    total = np.zeros(images.shape[-1])
    squares = np.zeros(images.shape[-1])
    for at in range(0, len(images), 256):  # all at once would take eight times the images' memory
        chunk = images[at : at + 256]
        total += chunk.sum(axis=(0, 1, 2), dtype=np.int64)
        squares += np.square(chunk, dtype=np.uint16).sum(axis=(0, 1, 2), dtype=np.int64)
    mean = total / images[..., 0].size
    variance = squares / images[..., 0].size - mean**2
    return mean, np.sqrt(np.maximum(variance, 0))  # rounding takes a constant channel below


def _resumed(run: Run, steps_per_epoch: int) -> keras.Model:
    """Load the network and optimizer with which a training goes on.

    Raises:
        Error: The file is broken, or the table of its epochs is.
    """
    last, best = run.path / "last.keras", run.path / "best.keras"
    anew = f"Delete {last}, and the training begins anew."
    try:
        model = load_model(last, compiled=True)
        history = run.history
    except Error as error:
        raise Error(f"{error} {anew}", details=error.details) from error
    epochs = int(model.optimizer.iterations) // steps_per_epoch
    if len(history) < epochs:  # it may have one more, which was written before the network
        raise Error(
            f"{run.path / 'history.csv'} has {len(history)} rows, and {last} is of epoch {epochs}: "
            f"put the whole table back. {anew}"
        )
    if epochs and not zipfile.is_zipfile(best):
        log(f"{best} is missing or cut off: it is written when an epoch is better than all before.")
    return model


def _build(
    training: Training,
    preprocessing: Preprocessing,
    classes: tuple[str, ...],
    start: Pretrained | None,
) -> keras.Model:
    """Build the network as it is trained, with the weights that it starts from."""
    model = _at_random(training.network, training.options, preprocessing, len(classes))
    if start is None:
        return model
    same_classes = start.classes in (None, classes)
    kept = load_by_name(model, start.weights, classifier=same_classes)
    if training.freeze_until is not None:
        freeze_until(model, training.freeze_until)
    what = f"all but {', '.join(kept)}" if kept else "all layers, the classifier's too"
    why = "" if same_classes else " (other classes)"
    trained = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    log(
        f"Start from the weights of {start.path} in {what}{why}; {trained:,} of "
        f"{model.count_params():,} weights are trained."
    )
    return model


def _at_random(
    network: str, options: dict[str, Any], preprocessing: Preprocessing, num_classes: int
) -> keras.Model:
    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    return zoo.build(network, shape, num_classes, **{**zoo.network(network).training, **options})


def initial_model(run: Run) -> keras.Model:
    """Return a run's network with the weights that its training began with: its seed has them.

    Raises:
        Error: It began with the weights of a file.
    """
    import keras

    config = run.config
    if config.get("weights") is not None:
        raise Error(f"{run.path} began with the weights of {config['weights']}, not of its seed.")
    keras.utils.set_random_seed(config["seed"])
    model = _at_random(config["network"], config["options"], run.preprocessing, len(run.classes))
    return main_network(model)


def _num_train(training: Training, dataset: datasets.Dataset) -> int:
    available = len(dataset.train.labels)
    return min(training.train_images or available, available)


def keras_weight_decay(weight_decay: float, momentum: float) -> float | None:
    """Return what Keras' SGD has to be given for a penalty as papers state it.

    They add it to the gradient, where momentum multiplies it by 1 / (1 - m); Keras takes it from
    the weights directly.
    """
    return weight_decay / (1 - momentum) or None


def compile_model(
    model: keras.Model,
    recipe: Recipe,
    steps_per_epoch: int,
    loss_weights: Sequence[float] = (1.0,),
) -> None:
    """Give a model the recipe's optimizer, and each of its outputs a loss.

    Args:
        model: From images to probabilities; the first output is the network's, and has its accuracy
            measured, others are auxiliary classifiers'.
        recipe: The training recipe.
        steps_per_epoch: To turn the recipe's milestones into steps.
        loss_weights: What each output's loss counts in their sum.
    """
    import keras

    total = recipe.epochs * steps_per_epoch
    boundaries = [round(total * milestone) for milestone in recipe.milestones]
    rates = [recipe.learning_rate * recipe.factor**i for i in range(len(boundaries) + 1)]
    if recipe.warmup_steps:
        first = boundaries[0] if boundaries else total
        if recipe.warmup_steps < first:
            boundaries.insert(0, recipe.warmup_steps)
            rates.insert(0, recipe.warmup_rate)
        else:
            log(
                f"No warm-up: {recipe.warmup_steps} steps are not over when the rate falls, "
                f"after {first}."
            )
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay
    optimizer = keras.optimizers.SGD(
        schedule(boundaries, rates) if boundaries else recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=keras_weight_decay(recipe.weight_decay, recipe.momentum),
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=False)
    outputs: dict[str, Any] = {"loss": loss, "metrics": ["accuracy"]}
    if len(model.outputs) > 1:
        names = model.output_names
        outputs = {
            "loss": dict.fromkeys(names, loss),
            "loss_weights": dict(zip(names, loss_weights, strict=True)),
            "metrics": {names[0]: ["accuracy"]},
        }
    model.compile(
        optimizer=optimizer,
        **outputs,
        jit_compile=uses_xla(),
    )


def training_batches(
    split: Split,
    preprocessing: Preprocessing,
    recipe: Recipe,
    flip: bool,
    seed: int,
    first_epoch: int = 0,
) -> tf.data.Dataset:
    """Return the batches of all epochs from `first_epoch` on, shuffled and distorted.

    Args:
        split: Images in the network's size.
        preprocessing: Applied after the distortion.
        recipe: Batch size, epochs, shift and rotation.
        flip: Mirror at random.
        seed: With an epoch's number it decides everything in that epoch.
        first_epoch: 0, or where a training goes on.

    Returns:
        Batches of images `(batch, height, width, channels)` float32 and labels `(batch,)`.
    """
    import tensorflow as tf

    images, labels = tf.constant(split.images), tf.constant(split.labels)
    steps = len(split.labels) // recipe.batch_size
    normalize = _normalizer(preprocessing)

    def epoch(number: tf.Tensor) -> tf.data.Dataset:
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(split.labels)), seed=tf.stack([tf.cast(seed, tf.int64), number])
        )
        places = tf.data.Dataset.from_tensor_slices(order[: steps * recipe.batch_size])
        places = places.batch(recipe.batch_size, drop_remainder=True).enumerate()

        def batch(step: tf.Tensor, chosen: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            stream = tf.stack([tf.cast(seed, tf.int64), number * steps + step])
            pixels = tf.cast(tf.gather(images, chosen), tf.float32)
            return normalize(distort(pixels, recipe, flip, stream)), tf.gather(labels, chosen)

        return places.map(batch, num_parallel_calls=2, deterministic=True)

    return tf.data.Dataset.range(first_epoch, recipe.epochs).flat_map(epoch).prefetch(4)


def distort(pixels: tf.Tensor, recipe: Recipe, flip: bool, stream: tf.Tensor) -> tf.Tensor:
    """Shift, rotate and mirror each image at random, filling with black.

    Args:
        pixels: `(batch, height, width, channels)` float32.
        recipe: Largest shift and rotation.
        flip: Mirror half of the images.
        stream: Two integers; the same stream gives the same distortions.
    """
    import tensorflow as tf

    if not (recipe.shift or recipe.rotation or flip):
        return pixels
    count, height, width = pixels.shape[0], pixels.shape[1], pixels.shape[2]
    u = tf.random.stateless_uniform((4, count), stream)
    dx, dy = (
        tf.floor(u[axis] * (2 * reach + 1)) - reach
        for axis, reach in enumerate((round(recipe.shift * width), round(recipe.shift * height)))
    )
    angle = (u[2] * 2 - 1) * math.radians(recipe.rotation)
    mirror = tf.where(u[3] < 0.5, -1.0, 1.0) if flip else tf.ones(count)
    cosine, sine = tf.cos(angle), tf.sin(angle)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    # Affine map, about the center, from an output pixel to the input pixel it is taken from.
    a, b, d, e = mirror * cosine, -mirror * sine, sine, cosine
    maps = tf.stack(
        [a, b, cx - a * cx - b * cy + dx, d, e, cy - d * cx - e * cy + dy, 0 * a, 0 * a], axis=1
    )
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=maps,
        output_shape=tf.constant([height, width]),
        interpolation="BILINEAR" if recipe.rotation else "NEAREST",
        fill_mode="CONSTANT",
        fill_value=0.0,
    )


def batches(split: Split, preprocessing: Preprocessing) -> tf.data.Dataset:
    """Return a split in order, normalized: images `(batch, height, width, channels)` and labels."""
    import tensorflow as tf

    normalize = _normalizer(preprocessing)
    rows = tf.data.Dataset.from_tensor_slices((split.images, split.labels))
    rows = rows.batch(batch_size(preprocessing))
    return rows.map(lambda x, y: (normalize(tf.cast(x, tf.float32)), y)).prefetch(1)


def _for_every_output(stream: tf.data.Dataset, model: keras.Model) -> tf.data.Dataset:
    """Return batches with the labels for each output of a model that has several."""
    names = model.output_names
    if len(names) == 1:
        return stream
    return stream.map(lambda x, y: (x, dict.fromkeys(names, y)))


def _normalizer(preprocessing: Preprocessing) -> Callable[[tf.Tensor], tf.Tensor]:
    mean, std = (np.array(values, np.float32) for values in (preprocessing.mean, preprocessing.std))
    return lambda pixels: (pixels - mean) / std


def _require_same(run: Run, config: dict[str, Any]) -> None:
    if run.is_ensemble:
        raise UsageError(f"{run.path} holds an ensemble: choose another --out.")
    before = run.config
    if before["network"] == config["network"]:  # whose options may be kept as they were written
        before = before | {"options": zoo.checked_options(before["network"], before["options"])}
    flat = [c | c["recipe"] for c in (before, config)]
    for key in flat[1]:
        if key != "recipe" and flat[0].get(key) != flat[1][key]:
            raise UsageError(
                f"{run.path} holds a training with {key} {flat[0].get(key)}, not {flat[1][key]}: "
                "give the same options to resume it, or another --out."
            )


def _recorder(
    run: Run, model: keras.Model, training: Training, first: int, steps: int
) -> keras.callbacks.Callback:
    """Return the callback that shows progress and saves what a resumed training needs."""
    import keras
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    epochs = training.recipe.epochs
    history = run.history[:first] if first else []  # which may be a broken one of before
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("loss {task.fields[loss]:.4f}  accuracy {task.fields[accuracy]:.4f}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    task = bar.add_task("train", total=steps, epoch=first + 1, loss=math.nan, accuracy=math.nan)

    class Recorder(keras.callbacks.Callback):
        def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
            bar.start()

        def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
            self.began = time.perf_counter()
            seed_dropout(self.model, training.seed, epoch)
            bar.reset(task, epoch=epoch + 1, loss=math.nan, accuracy=math.nan)

        def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
            logs = main_logs(logs, self.model)
            bar.update(task, advance=1, loss=logs["loss"], accuracy=logs["accuracy"])
            if not math.isfinite(logs["loss"]):
                raise Error(
                    f"The loss is {logs['loss']} at step {batch + 1}: lower --learning-rate; "
                    f"{run.path} keeps the last whole epoch."
                )

        def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
            logs = main_logs(logs, self.model)
            seconds = time.perf_counter() - self.began
            rate = float(self.model.optimizer.learning_rate)
            best = max((row["val_accuracy"] for row in history), default=-1.0)
            row = {"epoch": epoch + 1, "seconds": round(seconds, 2), "learning_rate": rate}
            history.append(row | {key: float(value) for key, value in logs.items()})
            text = io.StringIO()
            writer = csv.DictWriter(text, fieldnames=list(history[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(history)
            write_atomic(run.path / "history.csv", text.getvalue())
            if logs["val_accuracy"] > best:
                save_model(main_network(self.model), run.path / "best.keras")
            save_model(self.model, run.path / "last.keras")
            bar.console.print(
                f"epoch {epoch + 1}/{epochs}  loss {logs['loss']:.4f}  accuracy "
                f"{logs['accuracy']:.4f}  validation {logs['val_accuracy']:.4f}  {seconds:.1f} s",
                highlight=False,
            )

    recorder = Recorder()
    recorder.bar = bar
    return recorder


def seed_dropout(model: keras.Model, seed: int, epoch: int) -> None:
    """Let what an epoch drops depend on nothing before it; a saved network would not keep that."""
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    for place, state in enumerate(states):
        drawn = np.random.default_rng([seed, epoch, place]).integers(2**31)
        state.assign([drawn, 0])


def main_logs(logs: dict[str, float], model: keras.Model) -> dict[str, float]:
    """Return Keras' logs with the first output's under the names that a single output's have.

    The weighted sum over all outputs is the ``"total_loss"`` then.
    """
    if len(model.outputs) == 1:
        return logs
    own = model.output_names[0]
    names = {
        f"{part}{own}_{metric}": f"{part}{metric}"
        for part in ("", "val_")
        for metric in ("accuracy", "loss")
    }
    main = {name: logs[key] for key, name in names.items() if key in logs}
    return main | {"total_loss": logs["loss"]}


def save_model(model: keras.Model, path: Path) -> None:
    """Write a `.keras` file that is whole or absent."""
    temporary = path.with_name(f".{os.getpid()}.{path.name}")
    try:
        model.save(temporary)
        temporary.replace(path)
    except OSError as error:
        error.filename = path  # a full disk does not say which file
        raise
    finally:
        temporary.unlink(missing_ok=True)


def _finish(
    run: Run, model: keras.Model, dataset: datasets.Dataset, preprocessing: Preprocessing
) -> None:
    """Save the network and use the test split, once."""
    model = main_network(model)
    save_model(model, run.path / "model.keras")
    metrics = {
        "num_train_images": len(dataset.train.labels),
        "train_seconds": round(sum(row["seconds"] for row in run.history), 2),
    }
    answers = {
        name: predict(model, preprocessing, dataset.split(name).images)
        for name in ("validation", "test")
    }
    metrics |= results(answers, dataset)
    run.write_json("metrics.json", metrics | {"hardware": hardware(), "versions": versions()})
