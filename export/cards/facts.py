"""The facts of a model card, each read or computed from the files of a run folder."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cnn_keras import zoo
from cnn_keras.data.gray_levels import training_background
from cnn_keras.model_files.layer_weights import count_parameters
from cnn_keras.report.formatting import DASH, enumerate_names, or_dash, plural, signed
from cnn_keras.tables import significant
from cnn_keras.training.config import public_config
from cnn_keras.training.run_folder import Run

from . import origin
from .exported_files import ExportedFiles
from .results import (
    ClassResult,
    Confusion,
    SplitResult,
    class_results,
    largest_confusions,
    split_results,
)

MAX_CONFUSIONS = 10
_MAX_NAMES = 20  # of classes in a sentence
_MAX_MATRIX = 30  # classes of a confusion matrix that is shown
_MAX_OPEN_CLASSES = 20  # classes of a table that is not folded

SPLIT_COLUMNS = ("split", "images", "accuracy, %", "95 % interval", "balanced accuracy, %", "loss")
CLASS_COLUMNS = ("class", "test images", "accuracy, %", "95 % interval")
CONFUSION_COLUMNS = ("class", "taken for", "images", "of its images, %")


@dataclass(frozen=True)
class ModelCard:
    """What a model card says.

    Attributes:
        run: The run folder.
        exported: Its exported files; None without any.
        license: License of the model, as the Hub names it; None if it is not given.
    """

    run: Run
    exported: ExportedFiles | None = None
    license: str | None = None

    @cached_property
    def kind(self) -> origin.Kind:
        """Where the network comes from."""
        return origin.kind_of(self.run)

    @property
    def is_trained_here(self) -> bool:
        """Whether the run folder has the training of the network."""
        return self.kind in ("training", "ensemble")

    @property
    def name(self) -> str:
        """Name of the model."""
        return origin.run_name(self.run)

    @property
    def network(self) -> str:
        """Name of the network."""
        name: str = self.run.config["network"]
        return name

    @property
    def paper(self) -> str | None:
        """The paper of the network; None for an external model."""
        return None if self.kind == "external model" else zoo.network(self.network).paper

    @cached_property
    def data(self) -> origin.DataFacts:
        """The data set of the run: that of its training, or of the evaluation of an import."""
        return origin.data_facts(self.run.config["data"])

    @cached_property
    def metrics(self) -> dict[str, Any]:
        """The content of `metrics.json`; empty if there is none."""
        return self.run.metrics if (self.run.path / "metrics.json").is_file() else {}

    @cached_property
    def num_parameters(self) -> int | None:
        """Number of weights; None for a SavedModel."""
        file = self.run.path / "model.keras"
        return count_parameters(file) if file.is_file() else None

    @property
    def model_name(self) -> str:
        """Name of the Keras model in the run folder."""
        return "saved_model" if self.run.is_saved_model else "model.keras"

    @property
    def model_size(self) -> str:
        """Size of the Keras model in kB."""
        path = self.run.path / self.model_name
        files = path.rglob("*") if path.is_dir() else [path]
        return f"{sum(file.stat().st_size for file in files if file.is_file()) / 1000:,.1f}"

    @property
    def input(self) -> str:
        """Size and mode of the images."""
        height, width, channels = self.run.preprocessing.shape
        return f"{height}×{width} {'gray' if channels == 1 else 'RGB'}"

    @property
    def normalization(self) -> str:
        """The formula that normalizes pixels."""
        mean, std = (
            ", ".join(f"{value:.6g}" for value in values)
            for values in (self.run.preprocessing.mean, self.run.preprocessing.std)
        )
        return f"(pixel − mean) / std with mean {mean} and std {std}"

    @property
    def background(self) -> str | None:
        """`dark` or `light`, the background of gray training images; None if it is unknown."""
        return training_background(self.run.preprocessing)

    @property
    def class_names(self) -> str:
        """The class names as a list, the first ones of many."""
        names = self.run.classes
        if len(names) <= _MAX_NAMES:
            return enumerate_names(names)
        return f"{', '.join(names[:_MAX_NAMES])}, … (all are in labels.txt)"

    @cached_property
    def splits(self) -> list[SplitResult]:
        """The results on each split."""
        return split_results(self.metrics)

    @property
    def image_counts(self) -> list[list[str]]:
        """The number of images of each split."""
        counts = {"train": self.metrics.get("num_train_images")}
        counts |= {result.split: result.num_images for result in self.splits}
        return [[split, f"{count:,}"] for split, count in counts.items() if count]

    @property
    def test(self) -> SplitResult | None:
        """The results on the test images; None if they are unknown."""
        return next((result for result in self.splits if result.split == "test"), None)

    @property
    def tests_on_validation(self) -> bool:
        """Whether the test images are the validation images."""
        validation = self.metrics.get("validation")
        return validation is not None and validation == self.metrics.get("test")

    @property
    def matrix(self) -> list[list[int]] | None:
        """Test images by true and predicted class; None if they are unknown."""
        return self.metrics.get("confusion_matrix")

    @property
    def shows_matrix(self) -> bool:
        """Whether the matrix has few enough classes for a table."""
        return self.matrix is not None and len(self.matrix) <= _MAX_MATRIX

    @cached_property
    def classes(self) -> list[ClassResult]:
        """The results on each class that has test images."""
        return class_results(self.run.classes, self.matrix) if self.matrix else []

    @property
    def folds_classes(self) -> bool:
        """Whether the table of classes is long."""
        return len(self.classes) > _MAX_OPEN_CLASSES

    @property
    def weakest(self) -> ClassResult | None:
        """The class with the lowest accuracy; None if it is unknown."""
        return min(self.classes, key=lambda result: result.accuracy, default=None)

    @cached_property
    def confusions(self) -> list[Confusion]:
        """The largest confusions."""
        if not self.matrix:
            return []
        return largest_confusions(self.run.classes, self.matrix, MAX_CONFUSIONS)

    @property
    def remarks(self) -> list[str]:
        """The remarks on an import, on the images of the training, and on an export."""
        run = [*self.run.config.get("remarks", ()), *self.metrics.get("remarks", ())]
        exported = self.exported.document["remarks"] if self.exported else []
        return list(dict.fromkeys([*run, *exported]))

    @property
    def command(self) -> str | None:
        """The command that makes the run again; None for an external model."""
        return None if self.kind == "external model" else origin.command(self.run)

    @property
    def recipe_summary(self) -> str:
        """The values of the training recipe."""
        return origin.recipe_summary(origin.recipe_of(self.run))

    @property
    def recipe_text(self) -> str:
        """The content of `recipe.toml`."""
        return origin.recipe_text(self.run)

    @property
    def pretrained(self) -> str | None:
        """Name of the weights that the training started from; None if they were random."""
        name: str | None = public_config(self.run.config).get("weights")
        return name

    @property
    def training_facts(self) -> str:
        """Epochs, time, machine and versions of the training, as far as they are known."""
        found, history = [], self.run.history
        if history:
            found.append(plural(len(history), "epoch"))
        if seconds := self.metrics.get("train_seconds"):
            found.append(f"in {seconds:,.0f} s")
        if hardware := self.metrics.get("hardware"):
            found.append(f"on {hardware['cpu']}, {plural(hardware['cores'], 'core')},")
        if versions := self.metrics.get("versions"):
            names = (f"{name} {version}" for name, version in versions.items())
            found.append(f"with {enumerate_names(names)}")
        return " ".join(found).rstrip(",")

    @property
    def tags(self) -> list[str]:
        """Tags for the Hub."""
        tags = ["image-classification", "cnn-keras", self.network]
        return [*tags, "tflite", "litert"] if self.exported and self.exported.accepted else tags


def split_rows(card: ModelCard) -> list[list[str]]:
    """Return the results on each split in the order of `SPLIT_COLUMNS`."""
    return [
        [
            result.split,
            f"{result.num_images:,}",
            percent(result.accuracy),
            interval(result.interval),
            percent(result.balanced_accuracy),
            or_dash(result.loss, ".4f"),
        ]
        for result in card.splits
    ]


def class_rows(card: ModelCard) -> list[list[str]]:
    """Return the results on each class in the order of `CLASS_COLUMNS`."""
    return [
        [
            result.name,
            f"{result.num_images:,}",
            percent(result.accuracy),
            interval(result.interval),
        ]
        for result in card.classes
    ]


def confusion_rows(card: ModelCard) -> list[list[str]]:
    """Return the largest confusions in the order of `CONFUSION_COLUMNS`."""
    return [
        [
            confusion.true,
            confusion.predicted,
            f"{confusion.num_images:,}",
            f"{100 * confusion.fraction:.1f}",
        ]
        for confusion in card.confusions
    ]


def matrix_rows(card: ModelCard) -> list[list[str]]:
    """Return the confusion matrix, each row with the name of its class first."""
    return [
        [name, *(f"{count:,}" for count in row)]
        for name, row in zip(card.run.classes, card.matrix or [], strict=True)
    ]


def file_columns(exported: ExportedFiles) -> list[str]:
    """Return the headings of the table of files."""
    columns = ["file", "recipe", "size, kB", "accuracy, %", "drop, points", "agreement, %"]
    return [*columns, *(f"p50, ms, {plural(count, 'thread')}" for count in exported.threads)]


def file_rows(card: ModelCard) -> list[list[str]]:
    """Return the Keras model and the exported files in the order of `file_columns`."""
    exported = card.exported
    if exported is None:
        return []
    missing = [DASH] * len(exported.threads)
    keras = percent(exported.document["files"][0]["top1_float"])
    rows = [[card.model_name, DASH, card.model_size, keras, DASH, DASH, *missing]]
    for row in exported.accepted:
        latencies = [exported.latency_ms(row, count) for count in exported.threads]
        drop = row["drop_points"]
        rows.append(
            [
                row["file"],
                row["recipe"],
                f"{row['size_bytes'] / 1000:,.1f}",
                percent(row["top1_file"]),
                DASH if drop is None else signed(drop, 2),
                percent(row["agreement"]),
                *(DASH if latency is None else significant(latency) for latency in latencies),
            ]
        )
    return rows


def file_remarks(exported: ExportedFiles) -> list[tuple[str, str]]:
    """Return the remarks on the files that were written, each with the recipes that it is about."""
    recipes: dict[str, list[str]] = {}
    for row in exported.accepted:
        for remark in row["remarks"]:
            recipes.setdefault(remark, []).append(row["recipe"])
    return [(enumerate_names(names), remark) for remark, names in recipes.items()]


def machine(exported: ExportedFiles) -> str:
    """Describe the machine of the latencies."""
    host = exported.measurements[-1]["host"]
    return f"{host['cpu']}, {host['architecture']}, {plural(host['cores'], 'core')}"


def percent(fraction: float | None) -> str:
    """Return a fraction in percent, without the sign."""
    return DASH if fraction is None else f"{100 * fraction:.2f}"


def interval(bounds: tuple[float, float]) -> str:
    """Return an interval of fractions in percent."""
    return f"{percent(bounds[0])} to {percent(bounds[1])}"
