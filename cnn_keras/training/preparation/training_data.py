"""The data set and the preprocessing of a training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from ... import zoo
from ...command import log
from ...data import datasets
from ...data.check.leaks import describe_leak
from ...data.datasets import Dataset
from ...data.loading.first_pass import first_pass, with_cache
from ...data.loading.options import Loading
from ...data.preprocessing import Preprocessing
from ...errors import Error, UsageError
from ..config import Training
from ..fine_tuning import Pretrained
from ..run_folder import Run


class TrainingData(NamedTuple):
    """What a training reads from its data set, or from its run folder if it resumes.

    Attributes:
        dataset: The data set, before preprocessing.
        preprocessing: Preprocessing of the network's input.
        skipped: Broken files that a new training skips, relative to the folder of the data set.
    """

    dataset: Dataset
    preprocessing: Preprocessing
    skipped: list[str]


def load_training_data(
    run: Run,
    training: Training,
    pretrained: Pretrained | None,
    data_dir: Path | None,
    loading: Loading,
) -> TrainingData:
    """Load the data set and the preprocessing: those of the run if it resumes.

    All images are read once before a training starts. The normalization is that of the pretrained
    weights, else that of the training images.

    Args:
        run: The run folder.
        training: What to train.
        pretrained: The weights that a new training starts from.
        data_dir: Folder to search for the data set first.
        loading: How image files are loaded.

    Raises:
        Error: The classes of the run are not those of the data set, or image files are broken.
    """
    if not run.is_described:
        shape = input_shape(training, pretrained, data_dir)
        dataset = datasets.load(training.data, data_dir, shape, training.validation_images)
        if loading.cache:
            dataset = dataset.with_splits(with_cache(dataset.splits, loading.cache))
        of_user = dataset.fingerprint is not None
        found = first_pass(dataset.splits, shape, of_user, loading.skip_broken, loading.cache)
        skipped = sorted(map(dataset.relative_path, found.broken))
        dataset = dataset.without(skipped)
        if loading.cache:
            dataset = dataset.with_splits(with_cache(dataset.splits, loading.cache))
        if skipped:
            log(f"{len(skipped)} broken files are skipped; {run.path / 'config.json'} lists them.")
        if leak := describe_leak(dataset, found.digests):
            log(leak)
        if pretrained is None or pretrained.preprocessing is None:
            return TrainingData(dataset, found.preprocessing, skipped)
        height, width, _ = shape
        fitted = replace(pretrained.preprocessing, height=height, width=width)
        return TrainingData(dataset, fitted, skipped)
    dataset = run.raw_dataset(data_dir)
    if loading.cache:
        dataset = dataset.with_splits(with_cache(dataset.splits, loading.cache))
    if run.classes != dataset.classes:
        raise Error(
            f"{run.path / 'labels.txt'} has {len(run.classes)} lines, which are not the "
            f"{len(dataset.classes)} classes of {dataset.name}: restore the file, or delete "
            f"{run.path} to train again."
        )
    return TrainingData(dataset, run.preprocessing, [])


def describe_run(run: Run, config: dict[str, Any], data: TrainingData) -> None:
    """Describe a new run in its folder.

    Args:
        run: The run.
        config: What is trained, see `Training.to_dict`.
        data: What the training reads.
    """
    if run.is_described:
        return
    dataset, preprocessing, skipped = data
    if dataset.fingerprint is not None:
        config["contents"] = dataset.fingerprint  # its key in the runs of all versions
    if skipped:
        config["skipped_files"] = skipped
    for name in ("class_weights", "validation_images"):
        if config[name] is None:
            del config[name]  # as in the runs of earlier versions
    run.describe(config, preprocessing, dataset.classes)


def steps_per_epoch(training: Training, dataset: Dataset) -> int:
    """Return the number of batches per epoch.

    Raises:
        UsageError: There are fewer training images than one batch has, or fewer batches than
            gradients are accumulated over.
    """
    available = len(dataset.train.labels)
    num_images = min(training.train_images or available, available)
    if num_images < training.recipe.batch_size:
        raise UsageError(
            f"{num_images} training images are less than one batch of "
            f"{training.recipe.batch_size}: lower --batch-size."
        )
    steps = num_images // training.recipe.batch_size
    if steps < training.recipe.gradient_accumulation_steps:
        raise UsageError(
            f"An epoch has {steps} batches, fewer than the "
            f"{training.recipe.gradient_accumulation_steps} over which gradients are accumulated: "
            "lower --gradient-accumulation-steps."
        )
    return steps


def input_shape(
    training: Training, pretrained: Pretrained | None = None, data_dir: Path | None = None
) -> tuple[int, int, int]:
    """Return height, width and channels of the network's input.

    The shape is that of the pretrained weights; else that of the data set, but at least the
    network's minimum size; else, for image files, the paper's. `image_size` replaces height and
    width.
    """
    row = zoo.network(training.network)
    if pretrained is not None and pretrained.shape is not None:
        height, width, channels = pretrained.shape
    elif (stored := datasets.stored_shape(training.data, data_dir)) is not None:
        height, width, channels = stored
        height = width = max(height, width, row.min_side(training.options))
    else:
        height, width, channels = row.input_shape
    side = training.image_size
    return (side, side, channels) if side else (height, width, channels)
