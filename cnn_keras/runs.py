"""A run folder: what a training leaves, and everything export needs.

model.keras         the network after the last epoch
best.keras          the network after its best epoch on the validation split
last.keras          network and optimizer, rewritten after every epoch; a training resumes here
config.json         what was asked for, or where the weights were imported from
history.csv         one row an epoch
metrics.json        validation and test results, confusion matrix
preprocessing.json  from pixels to tensor
labels.txt          class names, one a line
"""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import data, zoo
from .command import write_atomic
from .errors import Error
from .evaluate import Probabilities
from .preprocessing import Pixels, Preprocessing

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: The folder.
    """

    path: Path

    @classmethod
    def open(cls, path: Path) -> Run:
        """Return a finished run.

        Raises:
            Error: There is no such folder, or no trained model in it.
        """
        if not path.is_dir():
            raise Error(f"No such run folder: {path}.")
        if not (path / "model.keras").is_file():
            raise Error(
                f"{path} holds no trained model: `cnn-keras train` or `import-weights` writes "
                "model.keras there."
            )
        return cls(path)

    def read_json(self, name: str) -> Any:
        """Read one of the folder's JSON files.

        Raises:
            Error: It is missing or not JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text())
        except FileNotFoundError as error:
            raise Error(f"The run {self.path} lacks {name}.") from error
        except ValueError as error:
            raise Error(f"{path} is not valid JSON: {error}.") from error

    def write_json(self, name: str, document: object) -> None:
        """Write one of the folder's JSON files."""
        write_atomic(self.path / name, json.dumps(document, indent=2) + "\n")

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was asked for: network, data set, seed, recipe."""
        config: dict[str, Any] = self.read_json("config.json")
        return config

    @property
    def is_ensemble(self) -> bool:
        """Whether its network is an ensemble of other runs' (see `ensemble`)."""
        return "members" in self.config

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Results of the finished training."""
        metrics: dict[str, Any] = self.read_json("metrics.json")
        return metrics

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """From pixels to this network's tensor."""
        return Preprocessing.from_dict(self.read_json("preprocessing.json"))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the network's outputs."""
        try:
            return tuple((self.path / "labels.txt").read_text().splitlines())
        except FileNotFoundError as error:
            raise Error(f"The run {self.path} lacks labels.txt.") from error

    @property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch; empty before the first."""
        path = self.path / "history.csv"
        if not path.is_file():
            return []
        with path.open(newline="") as file:
            rows = [{key: float(v) for key, v in row.items()} for row in csv.DictReader(file)]
        return [row | {"epoch": int(row["epoch"])} for row in rows]

    def model(self) -> keras.Model:
        """Load the trained network, for inference.

        Raises:
            Error: The file is broken.
        """
        self.import_layers()
        return load_model(self.path / "model.keras")

    def import_layers(self) -> None:
        """Import the layers that the network's saved files need."""
        zoo.import_builder(zoo.network(self.config["network"]))

    def predict(self, pixels: Pixels) -> Probabilities:
        """Return probabilities `(n, classes)` for `(n, height, width, channels)` uint8 pixels."""
        return predict(self.model(), self.preprocessing, pixels)

    def load(self, data_dir: Path | None = None) -> data.Dataset:
        """Load the run's data set as it is; only a folder's pictures come in this network's size.

        Raises:
            Error: It cannot be had, or pictures in the folder have changed since the training.
        """
        name, before = self.config["data"], self.config.get("contents")
        seen = self.preprocessing
        dataset = data.load(name, data_dir, (seen.height, seen.width, seen.channels))
        if dataset.contents != before:
            raise Error(
                f"The pictures of {name} are not those that {self.path} was trained "
                f"with ({dataset.contents}; then {before}), and its splits would mix: put them "
                "back, or train anew."
            )
        return dataset

    def dataset(self, data_dir: Path | None = None) -> data.Dataset:
        """Load the run's data set in this network's size; the training split as it was used.

        Raises:
            Error: See `load`.
        """
        return self.prepare(self.load(data_dir))

    def test(self, count: int | None = None, data_dir: Path | None = None) -> data.Split:
        """Load test images in this network's size, the same for all runs.

        Args:
            count: So many of them, seeded and stratified; all by default.
            data_dir: Where the data set may lie.

        Raises:
            Error: See `load`.
        """
        test = self.load(data_dir).in_classes(self.classes).test
        if count is not None:
            test = test.take(data.stratified(test.labels, count, data.SPLIT_SEED))
        return test.resized(self.preprocessing)

    def prepare(self, dataset: data.Dataset) -> data.Dataset:
        """Return a loaded data set as the run uses it.

        Raises:
            Error: It has a class that the network lacks.
        """
        dataset = dataset.in_classes(self.classes)
        train = dataset.train
        if (count := self.config["train_images"]) is not None:
            train = train.take(data.stratified(train.labels, count, self.config["seed"]))
        return dataset._replace(
            train=train.resized(self.preprocessing),
            validation=dataset.validation.resized(self.preprocessing),
            test=dataset.test.resized(self.preprocessing),
        )


def uses_xla() -> bool:
    """Return whether a network is compiled by XLA: on JAX, which has nothing else.

    Its convolutions on a CPU are slower than oneDNN's.
    """
    import keras

    return bool(keras.backend.backend() == "jax")


def batch_size(preprocessing: Preprocessing) -> int:
    """Return how many images to show a network at once without training it: 256, or fewer if large.

    With 2^21 pixels VGG's first maps, of 64 channels in float32, take half a gigabyte.
    """
    return max(1, min(256, 2**21 // (preprocessing.height * preprocessing.width)))


def predict(model: keras.Model, preprocessing: Preprocessing, pixels: Pixels) -> Probabilities:
    """Return probabilities `(n, classes)` for `(n, height, width, channels)` uint8 pixels."""
    size = batch_size(preprocessing)
    starts = range(0, len(pixels), size)
    parts = [model.predict_on_batch(preprocessing(pixels[at : at + size])) for at in starts]
    return np.concatenate(parts)


def load_model(path: Path, *, compiled: bool = False) -> keras.Model:
    """Load a `.keras` file.

    Args:
        path: The file.
        compiled: Also restore the optimizer, to go on training.

    Raises:
        Error: There is no such file, or it is broken.
    """
    import keras

    if not path.is_file():
        raise Error(f"No such model: {path}.")
    try:
        return keras.saving.load_model(path, compile=compiled)
    except Exception as error:  # a zip, JSON, HDF5 or configuration error, by what is broken
        reason = str(error).strip().splitlines()[0] if str(error).strip() else repr(error)
        raise Error(f"{path} cannot be loaded as a Keras model: {reason}") from error
