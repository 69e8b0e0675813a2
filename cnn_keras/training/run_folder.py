"""The run folder: what a training writes, and all that export needs.

model.keras         the network after the last epoch
saved_model/        instead of it, if the network was imported from a SavedModel
best.keras          the network after the epoch with the best validation accuracy
last.keras          the last checkpoint: network, optimizer and progress, to resume a training
config.json         what was trained, on what data and how, or where the weights are from
recipe.toml         the training recipe in full, as `train --recipe` takes it
history.csv         one row per epoch
metrics.json        results on the validation and test split, confusion matrix
preprocessing.json  from an image to the network's input
labels.txt          class names, one per line
.lock               locked by the training that writes the folder, which removes it
"""

from __future__ import annotations

import csv
import fcntl
import json
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from .. import zoo
from ..command import log, new_folder, write_atomic, write_together
from ..data import datasets
from ..data.datasets import Dataset
from ..data.loading.image_files import AnySplit
from ..data.preprocessing import Preprocessing, UInt8Images
from ..errors import Error
from ..model_files import saved_model
from ..model_files.keras_file import import_custom_objects, load_model, save_model
from ..trained.table import TRAINED
from ..unpack import run_path
from .evaluate import Probabilities
from .hosts import devices
from .predict import predict
from .probabilities import with_probabilities

if TYPE_CHECKING:
    import keras


DESCRIPTION = ("labels.txt", "preprocessing.json", "config.json")
"""The files of `Run.describe`, in the order in which they are written."""

LOCK = ".lock"
"""The file that a training locks."""


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: The folder.
        model_file: Another `.keras` file of its network, to use instead of `model.keras`.
        saves_models: Whether `save_model` writes files. Of the processes of a training, the first
            one does.
    """

    path: Path
    model_file: Path | None = None
    saves_models: bool = True

    @classmethod
    def open(cls, path: Path) -> Run:
        """Return a finished run.

        Args:
            path: The folder, or the name NETWORK:DATA of a trained network of the package, which
                is unpacked.

        Raises:
            UsageError: There is no such trained network.
            Error: There is no such folder, or no trained model in it.
        """
        path = run_path(path)
        if path.is_file():
            raise Error(f"{path} is a file: expected a run folder, which has model.keras.")
        if not path.is_dir():
            names = [row.name for row in TRAINED.values() if row.network == str(path)]
            hint = f" Did you mean {' or '.join(names)}?" if names else ""
            raise Error(f"No such run folder: {path}.{hint}")
        run = cls(path)
        if not (path / "model.keras").is_file() and not run.is_saved_model:
            raise Error(
                f"{path} has no trained model: `cnn-keras train` or `import-weights` writes "
                "model.keras there."
            )
        return run

    @property
    def has_description(self) -> bool:
        """Whether the folder describes a network; see `describe`."""
        return all((self.path / name).is_file() for name in ("config.json", "preprocessing.json"))

    @property
    def is_described(self) -> bool:
        """Whether `describe` has written all its files."""
        return all((self.path / name).is_file() for name in DESCRIPTION)

    def read_json(self, name: str) -> Any:
        """Read one of the folder's JSON files.

        Raises:
            Error: It is missing or not JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_bytes())
        except FileNotFoundError as error:
            raise Error(f"The run {self.path} lacks {name}.") from error
        except ValueError as error:
            raise Error(
                f"{path} is not valid JSON: {error}. Restore the file, or make the run again."
            ) from error

    def write_json(self, name: str, document: object) -> None:
        """Write one of the folder's JSON files."""
        write_atomic(self.path / name, to_json(document))

    def save_model(self, model: keras.Model, name: str, comment: str = "") -> None:
        """Write a `.keras` file of the folder; see `model_files.keras_file.save_model`."""
        if self.saves_models:
            with devices.not_distributed():
                save_model(model, self.path / name, comment)

    def describe(
        self, config: dict[str, Any], preprocessing: Preprocessing, classes: Sequence[str]
    ) -> None:
        """Write the files that describe the network, all of them or none."""
        labels = "\n".join(classes) + "\n"
        texts = labels, to_json(preprocessing.to_dict()), to_json(config)
        paths = (self.path / name for name in DESCRIPTION)
        write_together(dict(zip(paths, texts, strict=True)))

    @cached_property
    def config(self) -> dict[str, Any]:
        """The configuration: network, data set, seed, recipe."""
        config: dict[str, Any] = self.read_json("config.json")
        return config

    @property
    def is_ensemble(self) -> bool:
        """Whether its network is an ensemble of the networks of other runs (see `ensemble`)."""
        return "members" in self.config

    @property
    def is_saved_model(self) -> bool:
        """Whether its network is a SavedModel, which has no layers."""
        return saved_model.is_saved_model(self.path / "saved_model")

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """Results of the finished training."""
        metrics: dict[str, Any] = self.read_json("metrics.json")
        return metrics

    @cached_property
    def preprocessing(self) -> Preprocessing:
        """Preprocessing of the network's input."""
        return Preprocessing.from_dict(self.read_json("preprocessing.json"))

    @cached_property
    def classes(self) -> tuple[str, ...]:
        """Class names, in the order of the network's outputs."""
        try:
            return tuple((self.path / "labels.txt").read_text(encoding="utf-8-sig").splitlines())
        except FileNotFoundError as error:
            raise Error(f"The run {self.path} lacks labels.txt.") from error

    @property
    def history(self) -> list[dict[str, float]]:
        """One row per epoch; empty before the first.

        Raises:
            Error: The file is broken.
        """
        path = self.path / "history.csv"
        if not path.is_file():
            return []
        try:
            with path.open(encoding="utf-8", newline="") as file:
                rows = [{key: float(v) for key, v in row.items()} for row in csv.DictReader(file)]
            return [row | {"epoch": int(row["epoch"])} for row in rows]
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise Error(f"{path} is broken, perhaps truncated: {error!r}.") from error

    def model(self) -> keras.Model:
        """Load the trained network, for inference, with probabilities as output.

        Raises:
            Error: The file is broken, or labels.txt does not have one line for each output.
        """
        if self.is_saved_model and self.model_file is None:
            model = saved_model.load(self.path / "saved_model", self.config["network"])
        else:
            self.import_layers()
            model = load_model(self.model_file or self.path / "model.keras")
        model = with_probabilities(model)
        if len(self.classes) != (outputs := model.output_shape[-1]):
            raise Error(
                f"{self.path / 'labels.txt'} has {len(self.classes)} lines, and the network has "
                f"{outputs} outputs: restore the file, with one class name per line."
            )
        return model

    def import_layers(self) -> None:
        """Import the custom layers that the network's saved files need.

        Raises:
            Error: Their module cannot be imported.
        """
        if "adopted" not in self.config:
            zoo.import_builder(zoo.network(self.config["network"]))
            return
        for module in self.config["adopted"]["modules"]:
            import_custom_objects(module)

    def predict(self, images: UInt8Images | AnySplit) -> Probabilities:
        """Return probabilities `(n, classes)` for `(n, height, width, channels)` uint8 images."""
        return predict(self.model(), self.preprocessing, images)

    def raw_dataset(self, data_dir: Path | None = None) -> Dataset:
        """Load the run's data set; only image files are resized to the input size.

        It lacks the broken files that the training skipped.

        Raises:
            Error: It cannot be loaded, or the files of the folder have changed since the training.
        """
        name, fingerprint = self.config["data"], self.config.get("contents")
        num_validation = self.config.get("validation_images")
        dataset = datasets.load(name, data_dir, self.preprocessing.shape, num_validation)
        if dataset.fingerprint != fingerprint:
            raise Error(
                f"The files of {name} have changed since the training of {self.path} "
                f"({dataset.fingerprint}; before: {fingerprint}), which would mix its splits: "
                "restore them, or train again."
            )
        return dataset.without(self.config.get("skipped_files", ()))

    def dataset(self, data_dir: Path | None = None) -> Dataset:
        """Load the run's data set in the input size, with the training images that were used.

        Raises:
            Error: See `raw_dataset`.
        """
        return self.prepare_dataset(self.raw_dataset(data_dir))

    def test_split(self, count: int | None = None, data_dir: Path | None = None) -> AnySplit:
        """Load test images in the input size, the same for all runs.

        Args:
            count: Size of a stratified sample; all images by default.
            data_dir: Folder to search for the data set first.

        Raises:
            Error: See `raw_dataset`.
        """
        test = self._with_run_classes(self.raw_dataset(data_dir)).test
        if count is not None:
            test = test.sample(count)
        return test.resized(self.preprocessing)

    def prepare_dataset(self, dataset: Dataset) -> Dataset:
        """Return a loaded data set in the input size, with the training images that were used.

        Raises:
            Error: It has a class that the network lacks.
        """
        dataset = self.select_images(dataset)
        return dataset._replace(
            train=dataset.train.resized(self.preprocessing),
            validation=dataset.validation.resized(self.preprocessing),
            test=dataset.test.resized(self.preprocessing),
        )

    def select_images(self, dataset: Dataset) -> Dataset:
        """Return a loaded data set with the training images that were used, in their own size.

        Raises:
            Error: It has a class that the network lacks.
        """
        dataset = self._with_run_classes(dataset)
        if (count := self.config["train_images"]) is not None:
            dataset = dataset._replace(train=dataset.train.sample(count, self.config["seed"]))
        return dataset

    def _with_run_classes(self, dataset: Dataset) -> Dataset:
        try:
            return dataset.with_classes(self.classes)
        except Error:
            if (self.path / "model.keras").is_file() or self.is_saved_model:
                self.model()  # raises a better error if labels.txt does not match the outputs
            raise


def can_start_run(out: Path) -> bool:
    """Return whether a path is free for a run: absent, or left by a run that was killed early."""
    if not out.is_dir():
        return not out.exists()
    temporary = tuple(f".{name}." for name in DESCRIPTION)
    names = [path.name for path in out.iterdir()]
    return "config.json" not in names and all(
        name in (*DESCRIPTION, LOCK) or name.startswith(temporary) for name in names
    )


@contextmanager
def lock_run(out: Path) -> Iterator[None]:
    """Reserve a run folder for one training. Reading its files needs no lock.

    The operating system releases the lock when the process ends, also if it is killed. On NFS the
    lock holds for all machines, unless the mount keeps locks local (`nolock`, `local_lock`).

    Args:
        out: The folder. It is created, and removed if it stays empty.

    Raises:
        Error: Another training has the lock.
    """
    created = [path for path in (out, *out.parents) if not path.exists()]
    out.mkdir(parents=True, exist_ok=True)
    file = _locked_file(out / LOCK)
    try:
        yield
    finally:
        (out / LOCK).unlink(missing_ok=True)
        file.close()
        with suppress(OSError):  # not empty
            for path in created:
                path.rmdir()


def _locked_file(path: Path) -> BinaryIO:
    """Open and lock a file that says which process has the lock.

    Raises:
        Error: Another process has the lock.
    """
    while True:
        file = path.open("ab+", buffering=0)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            with file:
                file.seek(0)
                owner = file.read().decode() or "Another process"
            raise Error(
                f"{owner} is training in {path.parent}: wait until it has ended, or choose another "
                "--out."
            ) from error
        except OSError as error:
            log(f"{path.parent} is not locked ({error.strerror}): start no other training in it.")
            return file
        # A training that ends removes its file, which another one may have opened before.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                break
        file.close()
    with suppress(OSError):  # a full disk; the lock holds
        file.truncate(0)
        file.write(f"Process {os.getpid()} on {platform.node()}".encode())
    return file


def to_json(document: object) -> str:
    """Return the text of a JSON file."""
    return json.dumps(document, indent=2) + "\n"


@contextmanager
def new_run(out: Path) -> Iterator[Run]:
    """Write a new run folder atomically: it is complete or absent."""
    with new_folder(out) as folder:
        yield Run(folder)
