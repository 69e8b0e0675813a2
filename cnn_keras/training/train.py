"""Train a network of the zoo with `model.fit`; a training that was interrupted resumes exactly.

The order, augmentation and dropout of a batch depend only on the seed and the batch's number, and
the model, its optimizer and its metrics are saved together. A training that was killed therefore
resumes from its last checkpoint, and ends with the weights of an undisturbed training.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..command import log, write_atomic
from ..data.augmentation.augment import Augmentation
from ..data.augmentation.mixing import Mixing
from ..data.class_weights import balanced_class_weights
from ..data.datasets import Dataset
from ..data.loading.options import FROM_FILES, Loading
from ..data.loading.parallel import close_all
from ..data.pipeline import (
    errors_of_files,
    evaluation_batches,
    label_probabilities,
    mixed_batches,
    prefetched,
    training_batches,
)
from ..data.preprocessing import Preprocessing
from ..errors import Error, UsageError
from ..layer_names import row_of
from ..machine import hardware, versions
from ..model_files.layer_weights import load_by_name, main_network
from ..model_files.precision import in_float32
from .augmentation import training_augmentation
from .config import Training
from .evaluate import evaluate_splits
from .fine_tuning import Pretrained, freeze_until, identity_modules
from .hosts import devices
from .hosts.evaluation import evaluate_together
from .hosts.folder_copies import first_process_first
from .optimization.compile import compile_model, speed_up
from .predict import predict
from .preparation.training_data import describe_run, load_training_data, steps_per_epoch
from .recipe_file import recipe_toml
from .recipes import OMITTED
from .run_folder import Run, can_start_run, lock_run

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf
    from numpy.typing import NDArray

    from .checkpoints.checkpoint import Progress
    from .optimization.averaging import WeightAverage


def train(
    training: Training,
    out: Path,
    data_dir: Path | None = None,
    tensorboard: bool = False,
    loading: Loading = FROM_FILES,
    save_every: int = 0,
    until_epoch: int | None = None,
) -> Run:
    """Train a network, or resume a training with the same configuration.

    Args:
        training: What to train.
        out: The run folder.
        data_dir: Folder to search for the data set first.
        tensorboard: Also write `out/tensorboard`.
        loading: How image files are loaded.
        save_every: Save the training also within epochs, after each of this many batches.
        until_epoch: Pause the training after this epoch; a later call resumes it.

    Returns:
        The finished run, with `model.keras` and `metrics.json`; or a paused one without them.

    Raises:
        UsageError: The network has no such option, `out` has a training with another
            configuration, the pretrained weights do not fit, or a batch cannot be divided among
            the devices.
        Error: The loss is not finite, the data set cannot be loaded, or another process is
            training in `out`.
        KeyboardInterrupt: The training was interrupted; it can be resumed.
    """
    training = _with_parsed_options(training)
    devices.require_divisible(training.recipe.batch_size)
    run = Run(out, saves_models=devices.share().process == 0)
    if not devices.anywhere(is_finished(training, out, until_epoch)):
        with lock_run(out):
            # By another process, before this one had the lock.
            if not devices.anywhere(is_finished(training, out, until_epoch)):
                last_epoch = _last_epoch(training, until_epoch)
                _train(run, training, data_dir, tensorboard, loading, save_every, last_epoch)
    return run


def is_finished(training: Training, out: Path, until_epoch: int | None = None) -> bool:
    """Return whether a training is finished; it can be started or resumed otherwise.

    Args:
        training: What is trained.
        out: The run folder.
        until_epoch: See `train`; a training that has passed this epoch is finished.

    Raises:
        UsageError: The folder has a training with another configuration, or something else.
    """
    run = Run(out)
    if not (run.path / "config.json").is_file():
        if not can_start_run(run.path):
            raise UsageError(f"{run.path} exists and is not a run folder: choose another --out.")
        return False
    _require_same(run, _config(_with_parsed_options(training)))
    last_epoch = _last_epoch(training, until_epoch)
    if last_epoch < training.recipe.epochs and len(run.history) >= last_epoch:
        return True
    if not (run.path / "metrics.json").is_file():
        return False
    log(f"{run.path} is already finished; delete it to train again.")
    return True


def _train(
    run: Run,
    training: Training,
    data_dir: Path | None,
    tensorboard: bool,
    loading: Loading,
    save_every: int,
    last_epoch: int,
) -> None:
    """Start or resume a training in a locked run folder."""
    import keras

    from .checkpoints.checkpoint import Progress, load_checkpoint, remove_leftovers
    from .optimization.averaging import WeightAverage, statistics_batches

    remove_leftovers(run.path)
    keras.utils.set_random_seed(training.seed)
    last = run.path / "last.keras"
    with first_process_first(run.path) as description:
        pretrained = None
        if training.weights is not None and not last.is_file():
            pretrained = Pretrained.open(Path(training.weights))
        data = load_training_data(run, training, pretrained, data_dir, loading)
        steps = steps_per_epoch(training, data.dataset)
        describe_run(Run(description), _config(training), data)
    dataset = data.dataset
    if last.is_file():
        zoo.import_builder(zoo.network(training.network))
        model, start = load_checkpoint(run, steps)
        log(f"Resume {start} of {training.recipe.epochs}.")
    else:
        start = Progress(0)
        model = _build(training, data.preprocessing, dataset.classes, pretrained)
        row = zoo.network(training.network)
        compile_model(model, training.recipe, steps, row.loss_weights)
    describe_run(run, _config(training), data)
    write_atomic(run.path / "recipe.toml", recipe_toml(training.recipe))
    dataset = run.prepare_dataset(dataset)
    speed_up(model)
    recipe = training.recipe
    augmentation = training_augmentation(run, recipe, dataset)
    images: Iterable[Any] = ()
    if recipe.ema_momentum:
        images = statistics_batches(
            dataset.train, run.preprocessing, augmentation, recipe, training.seed
        )
    average = WeightAverage(model, images)
    _fit(
        run,
        model,
        training,
        dataset,
        augmentation,
        start,
        average,
        steps,
        tensorboard,
        loading.workers,
        save_every,
        last_epoch,
    )
    if last_epoch == training.recipe.epochs:
        _finish(run, model, dataset, average)


def _fit(
    run: Run,
    model: keras.Model,
    training: Training,
    dataset: Dataset,
    augmentation: Augmentation,
    start: Progress,
    average: WeightAverage,
    steps_per_epoch: int,
    tensorboard: bool,
    workers: int,
    save_every: int,
    last_epoch: int,
) -> None:
    """Train a compiled model for its remaining epochs, and record them in the run folder."""
    from .checkpoints.agreed_stop import stop_request
    from .checkpoints.recorder import Recorder, finish_epoch
    from .monitoring.progress_bar import ProgressBar
    from .monitoring.throughput import Throughput
    from .optimization.gradient_sums import ordered_gradient_sums

    recipe, share = training.recipe, devices.share()
    first_epoch = start.epoch
    if first_epoch >= last_epoch:
        return
    stop = stop_request()
    recorder = Recorder(run, training.seed, start, steps_per_epoch, stop, average, save_every)
    throughput = Throughput(recipe.batch_size)
    first_step = first_epoch * steps_per_epoch + start.step
    progress = ProgressBar(recorder.history, throughput, recipe.epochs, steps_per_epoch, first_step)
    callbacks = [throughput, recorder, progress, average]
    batches = training_batches(
        dataset.train,
        run.preprocessing,
        augmentation,
        batch_size=recipe.batch_size,
        epochs=recipe.epochs,
        seed=training.seed,
        first_epoch=first_epoch,
        first_step=start.step,
        workers=workers,
        share=share,
    )
    batches = _label_every_output(batches, model)
    if training.class_weights is not None:
        weights = balanced_class_weights(dataset.train.labels, len(dataset.classes))
        batches = _weight_classes(batches, weights)
    validation = held_out = evaluation_batches(dataset.validation, run.preprocessing)
    if recipe.has_soft_labels:  # the validation loss is that of the labels themselves
        batches = label_probabilities(batches, len(run.classes), recipe.label_smoothing)
        held_out = label_probabilities(held_out, len(run.classes))
    if any(mixing := Mixing(recipe.mixup, recipe.cutmix)):
        batches = prefetched(mixed_batches(batches, mixing, training.seed, first_step, share))
    if tensorboard:
        from .monitoring.tensorboard import tensorboard_callbacks

        callbacks += tensorboard_callbacks(run, batches, validation, average, recipe.epochs)
    held_out = _label_every_output(held_out, model)
    if devices.distribution() is not None:
        evaluate_together(model, run.preprocessing, dataset.validation)
    # Otherwise Keras creates the variables of the optimizer and of the metrics while it traces the
    # first step, and traces the step again without their creation. A training that resumes within
    # an epoch restores the metrics.
    model._symbolic_build(data_batch=batches.element_spec)
    try:
        with errors_of_files(), ordered_gradient_sums(), stop:
            if start.step == steps_per_epoch:
                finish_epoch(model, held_out, callbacks, first_epoch)
                first_epoch += 1
            model.fit(
                batches,
                validation_data=held_out,
                initial_epoch=first_epoch,
                epochs=last_epoch,
                steps_per_epoch=steps_per_epoch,
                callbacks=callbacks,
                shuffle=False,  # the batches are shuffled already
                verbose=0,
            )
    finally:
        close_all()
        progress.bar.stop()  # restores the cursor of an interrupted terminal


def _build(
    training: Training,
    preprocessing: Preprocessing,
    classes: tuple[str, ...],
    pretrained: Pretrained | None,
) -> keras.Model:
    """Build the network for training, with its initial or pretrained weights."""
    dtype = training.recipe.dtype_policy
    model = _build_network(training.network, training.options, preprocessing, len(classes), dtype)
    if pretrained is None:
        return model
    same_classes = pretrained.classes in (None, classes)
    added = identity_modules(model, pretrained.weights)
    skipped = load_by_name(model, {**pretrained.weights, **added}, classifier=same_classes)
    if training.freeze_until is not None:
        freeze_until(model, training.freeze_until)
    loaded = f"all layers but {', '.join(skipped)}" if skipped else "all layers"
    reason = "" if same_classes else " (other classes)"
    if added:
        count = len({row_of(name) for name in added})
        reason += f"; the {count} modules that they lack start as identities"
    trainable = sum(math.prod(variable.shape) for variable in model.trainable_variables)
    log(
        f"Load the weights of {pretrained.path} into {loaded}{reason}; {trainable:,} of "
        f"{model.count_params():,} weights are trainable."
    )
    return model


def _build_network(
    network: str,
    options: dict[str, Any],
    preprocessing: Preprocessing,
    num_classes: int,
    dtype: str = "float32",
) -> keras.Model:
    options = {**zoo.network(network).training, **options}
    return zoo.build(network, preprocessing.shape, num_classes, dtype=dtype, **options)


def initial_model(run: Run) -> keras.Model:
    """Return a run's network with the initial weights of its training, which follow from its seed.

    The network computes in float32, also if its training does not.

    Raises:
        Error: The training started from pretrained weights.
    """
    import keras

    config = run.config
    if config.get("weights") is not None:
        raise Error(
            f"{run.path} started from the weights of {config['weights']}, which do not follow from "
            "its seed."
        )
    keras.utils.set_random_seed(config["seed"])
    model = _build_network(
        config["network"], config["options"], run.preprocessing, len(run.classes)
    )
    return main_network(model)


def _label_every_output(batches: tf.data.Dataset, model: keras.Model) -> tf.data.Dataset:
    """Return batches with the labels for each output of a model that has several."""
    names = model.output_names
    if len(names) == 1:
        return batches
    return batches.map(lambda x, y: (x, dict.fromkeys(names, y)))


def _weight_classes(batches: tf.data.Dataset, weights: NDArray[np.float32]) -> tf.data.Dataset:
    """Return batches with the weight of each image's class as its sample weight.

    Keras' `class_weight` refuses models with several outputs. Sample weights count for the loss of
    each output; metrics ignore them.

    Args:
        batches: Images and labels, or the labels for each output.
        weights: The weight of each class `(classes,)`.
    """
    import tensorflow as tf

    def weighted(images: tf.Tensor, labels: Any) -> tuple[tf.Tensor, Any, tf.Tensor]:
        return images, labels, tf.gather(weights, tf.nest.flatten(labels)[0])

    return batches.map(weighted)


def _last_epoch(training: Training, until_epoch: int | None) -> int:
    """Return the epoch after which a training ends or pauses."""
    epochs = training.recipe.epochs
    return epochs if until_epoch is None else min(epochs, until_epoch)


def _with_parsed_options(training: Training) -> Training:
    """Parse the network's options, so that "true" and "True" are the same configuration."""
    return replace(training, options=zoo.checked_options(training.network, training.options))


def _config(training: Training) -> dict[str, Any]:
    """Return the content of `config.json`, with lists for tuples as in the file."""
    config: dict[str, Any] = json.loads(json.dumps(training.to_dict()))
    return config


def _require_same(run: Run, config: dict[str, Any]) -> None:
    """Refuse to resume a training with another configuration.

    Raises:
        UsageError: The configurations differ, or the run is an ensemble.
    """
    if run.is_ensemble:
        raise UsageError(f"{run.path} has an ensemble: choose another --out.")
    before = run.config
    if before["network"] == config["network"]:  # an early version did not parse options
        before = before | {"options": zoo.checked_options(before["network"], before["options"])}
    old, new = (values | OMITTED | values["recipe"] for values in (before, config))
    for key in new:
        if key != "recipe" and old.get(key) != new[key]:
            raise UsageError(
                f"{run.path} has a training with {key} {old.get(key)}, not {new[key]}: use the "
                "same options to resume it, or another --out."
            )


def _finish(run: Run, model: keras.Model, dataset: Dataset, average: WeightAverage) -> None:
    """Save the network and its results; the test split is used here only."""
    average.apply()
    model = main_network(model)
    run.save_model(model, "model.keras")
    model = in_float32(model)  # as `evaluate` and `export` load it
    probabilities = {
        name: predict(model, run.preprocessing, dataset.split(name))
        for name in ("validation", "test")
    }
    metrics = {
        "num_train_images": len(dataset.train.labels),
        "train_seconds": round(sum(row["seconds"] for row in run.history), 2),
        **evaluate_splits(probabilities, dataset),
        "hardware": hardware(),
        "versions": versions(),
    }
    run.write_json("metrics.json", metrics)
