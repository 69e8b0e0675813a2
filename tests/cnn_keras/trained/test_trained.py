"""Each trained network of the package: its files fit the table, and its metrics its weights."""

from __future__ import annotations

import json

import numpy as np
import pytest

import cnn_keras
from cnn_keras.data import datasets
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.trained.packed_weights import MAX_FLOAT16_BYTES
from cnn_keras.trained.table import DESCRIPTION, FOLDER, TRAINED, WEIGHTS, TrainedNetwork
from cnn_keras.training.evaluate import confusion_matrix
from cnn_keras.training.predict import predict
from cnn_keras.training.run_folder import Run
from cnn_keras.zoo import ZOO

MAX_TOTAL_BYTES = 4_000_000
DATA = ("digits", "fashion_mnist")  # which the tests have; they download no others
FAST_MACS = 1_000_000  # LeNet-5 classifies 10,000 images in a second, ResNet-20 in half a minute


def test_the_table_lists_all_folders() -> None:
    folders = {path for path in FOLDER.iterdir() if (path / WEIGHTS).exists()}
    assert folders == {trained.folder for trained in TRAINED.values()}
    sizes = [(folder / WEIGHTS).stat().st_size for folder in folders]
    assert max(sizes) <= MAX_FLOAT16_BYTES
    assert sum(sizes) <= MAX_TOTAL_BYTES


@pytest.mark.parametrize("trained", TRAINED.values(), ids=lambda trained: trained.name)
def test_files_fit_the_row(trained: TrainedNetwork) -> None:
    assert {path.name for path in trained.folder.iterdir()} == {WEIGHTS, *DESCRIPTION}
    run = Run(trained.folder)
    assert f"{run.config['network']}:{run.config['data']}" == trained.name
    assert len(run.history) == run.config["recipe"]["epochs"]
    shapes = [[array.shape for array in arrays] for arrays in trained.weights().values()]
    model = cnn_keras.build(trained.network, weights=trained.data)
    layers = (layer for layer in model.layers if layer.weights)
    assert shapes == [[tuple(weight.shape) for weight in layer.weights] for layer in layers]


@pytest.mark.parametrize(
    "trained",
    [
        pytest.param(each, marks=() if ZOO[each.network].macs < FAST_MACS else pytest.mark.slow)
        for each in TRAINED.values()
        if each.data in DATA
    ],
    ids=lambda trained: trained.name,
)
def test_metrics_are_those_of_the_weights(trained: TrainedNetwork) -> None:
    """The classes of a few images may differ where another processor rounds differently."""
    test = datasets.load(trained.data).test
    preprocessing = Preprocessing.read(trained.folder / "preprocessing.json")
    model = cnn_keras.build(trained.network, weights=trained.data)
    probabilities = predict(model, preprocessing, test.resized(preprocessing))
    metrics = json.loads((trained.folder / "metrics.json").read_bytes())
    assert metrics["test"]["num_images"] == len(test.labels)
    found = confusion_matrix(probabilities, test.labels)
    moved = np.abs(found - np.array(metrics["confusion_matrix"])).sum() / 2
    assert moved <= len(test.labels) / 2000
    assert metrics["test"]["accuracy"] == pytest.approx(
        np.trace(found) / found.sum(), abs=moved / found.sum() + 1e-9
    )
