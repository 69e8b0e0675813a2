"""Run folders of trainings that took no time: studies skip what is finished."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import keras
import numpy as np

from cnn_keras import data, series, zoo
from cnn_keras.runs import Run
from cnn_keras.train import Training, fit_preprocessing, input_shape


def finish(training: Training, seed: int, runs: Path, accuracies: Sequence[float]) -> Run:
    """Write the run that ends with the weights of another seed.

    Args:
        training: What was to be trained.
        seed: Its seed.
        runs: Folder of the run folders.
        accuracies: What its history says of each epoch; validation and test are 0.1 and 0.2 below.
    """
    run = Run(runs / f"{series.name(training)}_{seed}")
    dataset = data.load(training.data)
    shape = input_shape(training, None)
    preprocessing = fit_preprocessing(dataset.train.images, shape)
    run.write_json("config.json", json.loads(json.dumps(asdict(replace(training, seed=seed)))))
    run.write_json("preprocessing.json", preprocessing.to_dict())
    (run.path / "labels.txt").write_text("\n".join(dataset.classes))
    with (run.path / "history.csv").open("w") as file:
        rows = csv.writer(file)
        rows.writerow(["epoch", "accuracy", "val_accuracy"])
        rows.writerows([epoch + 1, value, value - 0.1] for epoch, value in enumerate(accuracies))
    keras.utils.set_random_seed(seed + 1000)
    options = training.options
    model = zoo.build(training.network, shape, len(dataset.classes), **options)
    model.save(run.path / "model.keras")
    test = {"accuracy": accuracies[-1] - 0.2, "num_images": len(dataset.test.labels)}
    run.write_json("metrics.json", {"num_train_images": training.train_images, "test": test})
    return run


def damage(run: Run) -> None:
    """Make a finished run one that was stopped, and whose last epoch was then damaged."""
    (run.path / "metrics.json").unlink()
    (run.path / "last.keras").write_bytes(b"no longer a model")


def teach(run: Run) -> None:
    """Let a run's classifier learn, by least squares, so that its network is above guessing."""
    model = run.model()
    train = run.dataset().train.take(np.arange(500))
    features = keras.Model(model.input, model.get_layer("pool").output)
    x = np.array(features(run.preprocessing(train.images)))
    x = np.concatenate([x, np.ones((len(x), 1))], axis=1)
    weights = np.linalg.lstsq(x, np.eye(len(run.classes))[train.labels])[0]
    model.get_layer("logits").set_weights([weights[:-1], weights[-1]])
    model.save(run.path / "model.keras")
