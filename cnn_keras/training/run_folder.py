"""A run folder: what a training leaves, and everything export needs.

model.keras         the network after the last epoch
saved_model/        instead of it, if the network was imported from a SavedModel
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
import importlib
import json
import re
import shutil
import sys
import tempfile
import traceback
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import zoo
from ..command import write_atomic, write_together
from ..data import datasets
from ..data.preprocessing import Preprocessing, UInt8Images
from ..data.splits import Split
from ..downloads import require_downloaded
from ..errors import Error, reason_of
from ..model_files import keras2, saved_model
from ..model_files.precision import in_float32
from ..model_files.scopes import rename_layers
from .classifier_head import with_probabilities
from .evaluate import Probabilities

if TYPE_CHECKING:
    import keras


DESCRIPTION = ("labels.txt", "preprocessing.json", "config.json")
"""The files of `Run.describe`; with the last one a training has begun."""


@dataclass(frozen=True)
class Run:
    """A run folder.

    Attributes:
        path: The folder.
        model_file: Another `.keras` file of its network, which stands in for `model.keras`.
    """

    path: Path
    model_file: Path | None = None

    @classmethod
    def open(cls, path: Path) -> Run:
        """Return a finished run.

        Raises:
            Error: There is no such folder, or no trained model in it.
        """
        if path.is_file():
            raise Error(f"{path} is a file: expected a run folder, which holds model.keras.")
        if not path.is_dir():
            raise Error(f"No such run folder: {path}.")
        run = cls(path)
        if not (path / "model.keras").is_file() and not run.is_saved_model:
            raise Error(
                f"{path} holds no trained model: `cnn-keras train` or `import-weights` writes "
                "model.keras there."
            )
        return run

    @property
    def exists(self) -> bool:
        """Whether the folder says what a run says of its network."""
        return all((self.path / name).is_file() for name in ("config.json", "preprocessing.json"))

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
                f"{path} is not valid JSON: {error}. Put the whole file back, or make the run anew."
            ) from error

    def write_json(self, name: str, document: object) -> None:
        """Write one of the folder's JSON files."""
        write_atomic(self.path / name, as_json(document))

    def describe(
        self, config: dict[str, Any], preprocessing: Preprocessing, classes: Sequence[str]
    ) -> None:
        """Write what a run says of its network, all of it or nothing."""
        labels = "\n".join(classes) + "\n"
        texts = labels, as_json(preprocessing.to_dict()), as_json(config)
        paths = (self.path / name for name in DESCRIPTION)
        write_together(dict(zip(paths, texts, strict=True)))

    @cached_property
    def config(self) -> dict[str, Any]:
        """What was asked for: network, data set, seed, recipe."""
        config: dict[str, Any] = self.read_json("config.json")
        return config

    @property
    def is_ensemble(self) -> bool:
        """Whether its network is an ensemble of other runs' (see `ensemble`)."""
        return "members" in self.config

    @property
    def is_saved_model(self) -> bool:
        """Whether its network is a SavedModel, whose layers nobody sees."""
        return saved_model.is_saved_model(self.path / "saved_model")

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
            return tuple((self.path / "labels.txt").read_text(encoding="utf-8-sig").splitlines())
        except FileNotFoundError as error:
            raise Error(f"The run {self.path} lacks labels.txt.") from error

    @property
    def history(self) -> list[dict[str, float]]:
        """One row an epoch; empty before the first.

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
            raise Error(f"{path} is broken, probably cut off: {error!r}.") from error

    def model(self) -> keras.Model:
        """Load the trained network, for inference, with a head that gives probabilities.

        Raises:
            Error: The file is broken, or labels.txt has not a line for each output.
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
                f"{outputs} outputs: put the whole file back, with the name of one class a line."
            )
        return model

    def import_layers(self) -> None:
        """Import the layers that the network's saved files need.

        Raises:
            Error: They are in a module that is not here.
        """
        if "adopted" not in self.config:
            zoo.import_builder(zoo.network(self.config["network"]))
            return
        for module in self.config["adopted"]["modules"]:
            import_module(module)

    def predict(self, pixels: UInt8Images) -> Probabilities:
        """Return probabilities `(n, classes)` for `(n, height, width, channels)` uint8 pixels."""
        return predict(self.model(), self.preprocessing, pixels)

    def load(self, data_dir: Path | None = None) -> datasets.Dataset:
        """Load the run's data set as it is; only a folder's pictures come in this network's size.

        Raises:
            Error: It cannot be had, or pictures in the folder have changed since the training.
        """
        name, before = self.config["data"], self.config.get("contents")
        seen = self.preprocessing
        dataset = datasets.load(name, data_dir, (seen.height, seen.width, seen.channels))
        if dataset.fingerprint != before:
            raise Error(
                f"The pictures of {name} are not those that {self.path} was trained "
                f"with ({dataset.fingerprint}; then {before}), and its splits would mix: put them "
                "back, or train anew."
            )
        return dataset

    def dataset(self, data_dir: Path | None = None) -> datasets.Dataset:
        """Load the run's data set in this network's size; the training split as it was used.

        Raises:
            Error: See `load`.
        """
        return self.prepare(self.load(data_dir))

    def test(self, count: int | None = None, data_dir: Path | None = None) -> Split:
        """Load test images in this network's size, the same for all runs.

        Args:
            count: So many of them, seeded and stratified; all by default.
            data_dir: Where the data set may lie.

        Raises:
            Error: See `load`.
        """
        test = self._in_classes(self.load(data_dir)).test
        if count is not None:
            test = test.sample(count)
        return test.resized(self.preprocessing)

    def prepare(self, dataset: datasets.Dataset) -> datasets.Dataset:
        """Return a loaded data set as the run uses it.

        Raises:
            Error: It has a class that the network lacks.
        """
        dataset = self._in_classes(dataset)
        train = dataset.train
        if (count := self.config["train_images"]) is not None:
            train = train.sample(count, self.config["seed"])
        return dataset._replace(
            train=train.resized(self.preprocessing),
            validation=dataset.validation.resized(self.preprocessing),
            test=dataset.test.resized(self.preprocessing),
        )

    def _in_classes(self, dataset: datasets.Dataset) -> datasets.Dataset:
        try:
            return dataset.with_classes(self.classes)
        except Error:
            if (self.path / "model.keras").is_file() or self.is_saved_model:
                self.model()  # whose number of outputs tells whether labels.txt is what is wrong
            raise


def is_free(out: Path) -> bool:
    """Return whether a run may begin at a path: nothing is there, or what a killed one left."""
    if not out.is_dir():
        return not out.exists()
    temporary = tuple(f".{name}." for name in DESCRIPTION)
    names = [path.name for path in out.iterdir()]
    return "config.json" not in names and all(
        name in DESCRIPTION or name.startswith(temporary) for name in names
    )


def as_json(document: object) -> str:
    """Return a document as the text of a JSON file."""
    return json.dumps(document, indent=2) + "\n"


@contextmanager
def new_run(out: Path) -> Iterator[Run]:
    """Fill a run folder beside its place and rename it, so that it is whole or absent."""
    out.parent.mkdir(parents=True, exist_ok=True)
    begun = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield Run(begun)
        begun.chmod(0o755)  # mkdtemp makes folders private
        begun.replace(out)
    except BaseException:
        shutil.rmtree(begun)
        raise


def import_module(name: str) -> None:
    """Let Keras find the layers and functions of a module, whether it registers them or not.

    Args:
        name: Sought where Python seeks, and in the current folder.

    Raises:
        Error: It is not there, or cannot be run.
    """
    import keras

    if (here := str(Path.cwd())) not in sys.path:
        sys.path.append(here)
    try:
        module = importlib.import_module(name)
    except Exception as error:  # whatever the user's own code raises
        raise Error(
            f"The module {name}, which the model needs, cannot be imported: {error!r}. Run the "
            "command where it lies, or put its folder into PYTHONPATH."
        ) from error
    own = {key: value for key, value in vars(module).items() if _is_own(value, module.__name__)}
    keras.saving.get_custom_objects().update(own)


def _is_own(value: object, module: str) -> bool:
    return callable(value) and getattr(value, "__module__", None) == module


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


def predict(model: keras.Model, preprocessing: Preprocessing, pixels: UInt8Images) -> Probabilities:
    """Return probabilities `(n, classes)` for `(n, height, width, channels)` uint8 pixels.

    Raises:
        Error: A layer's own code raises something, or there is not enough memory.
    """
    size = batch_size(preprocessing)
    starts = range(0, len(pixels), size)
    parts = []
    for images in (preprocessing(pixels[at : at + size]) for at in starts):
        try:
            parts.append(model.predict_on_batch(images))
        except Exception as error:
            raise Error(
                f"Model '{model.name}' does not run on {len(images)} images: {reason_of(error)}",
                details=traceback.format_exc(),
            ) from error
    return np.concatenate(parts)


# How Keras says that it lacks a class: of `.keras` files, and of `.h5`.
_UNKNOWN = re.compile(r"(?:Could not locate (?:class|function)|Unknown \w+:) '([^']+)'")


def _operations(path: Path) -> list[str]:
    """Return the operations of `keras.ops` in an HDF5 file, which Keras takes for layers there."""
    import keras

    kinds = {
        kind.__name__
        for kind in keras.Operation.__subclasses__()
        if kind.__module__.startswith("keras.src.ops.")
    }
    # Layers of the same name, as Subtract, have a precision.
    return [
        name
        for name, config in keras2.configured_layers(path)
        if name in kinds and "dtype" not in config
    ]


def load_model(path: Path, *, compiled: bool = False) -> keras.Model:
    """Load a `.keras` file; without its optimizer, in float32.

    Args:
        path: The file; `.h5` and those of Keras 2 serve, too.
        compiled: Also restore the optimizer, to go on training.

    Raises:
        Error: There is no such file, it is broken, or it needs layers that Keras does not know.
        Keras2Error: Keras 2 wrote it, and Keras 3 cannot load it.
    """
    import h5py
    import keras

    if not path.is_file():
        raise Error(f"No such model: {path}.")
    require_downloaded(path)
    version = keras2.keras2_version(path)
    try:
        # Keras goes by the name.
        plain = keras2.symlink_as(path, "model.h5" if h5py.is_hdf5(path) else "model.keras")
        with (
            keras2.converted_copy(path) if version else plain as readable,
            warnings.catch_warnings(),
        ):
            if version:  # arguments that Keras 3 calls otherwise are none of the user's doing
                warnings.simplefilter("ignore")
            model = keras.saving.load_model(readable, compile=compiled)
    except Exception as error:  # a zip, JSON, HDF5 or configuration error, by what is broken
        missing = _UNKNOWN.search(str(error))
        if keras2.has_weights_only(path):
            raise Error(
                f"{path} holds weights only, and no network: load them into their network and save "
                "that as .keras, or give them to a name of keras.applications as --weights."
            ) from error
        if not version and h5py.is_hdf5(path) and (operations := _operations(path)):
            raise Error(
                f"{path} has {operations[0]}, an operation of keras.ops, which Keras does not load "
                "from HDF5: save the model as .keras."
            ) from error
        if missing and (advice := keras2.TFMOT_WRAPPERS.get(missing[1])):
            raise Error(
                f"{path} has {missing[1]}, with which tensorflow_model_optimization wraps layers: "
                f"{advice}."
            ) from error
        if missing and not hasattr(keras.layers, missing[1]):
            raise Error(
                f"{path} needs '{missing[1]}', which is none of Keras' own: name the module that "
                "defines it with --modules."
            ) from error
        if "`Lambda`" in str(error):
            raise Error(
                f"{path} has a Lambda layer, which is code, and no code in a file is run: write it "
                "as a class, save the model with that, and name its module with --modules."
            ) from error
        why, details = reason_of(error), str(error)
        if version:
            why = f"it does not find {missing[1]}" if missing else why
            raise keras2.Keras2Error(
                f"{path} was written by Keras {version}, and Keras 3 cannot load it ({why}): "
                "pip install '.[aware]' for tf_keras, which can, or save it as a SavedModel where "
                "it was made.",
                details=details,
            ) from error
        if not zipfile.is_zipfile(path) and not h5py.is_hdf5(path):
            why = "it is neither a zip archive, as .keras files are, nor HDF5; is it cut off?"
            details = why
        raise Error(f"{path} cannot be loaded as a Keras model: {why}", details=details) from error
    if compiled:
        return model
    rename_layers(model)
    return in_float32(model)
