"""The whole command line: the networks' commands, and those that need LiteRT."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from cnn_keras import cli
from cnn_keras.command import Outcome, log, start_keras
from cnn_keras.errors import UsageError
from cnn_keras.tables import escape, table
from cnn_keras.weights.source_options import SourceOptions

from .benchmark.cli import Benchmark
from .export_table import export_table, number
from .recipes import IOType
from .studies.cli import STUDIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from cnn_keras.training.run_folder import Run

    from .pipeline import Source
    from .recipes import Recipe
    from .verification.layer_errors import Repaired

FIGURES = (".svg", ".png")
ANDROID_DEMO = Path(__file__).resolve().parents[1] / "android_demo"
LRN_BY_NAME = ".*lrn.*"
"""What version 0.1.0 states as kept in floating point in each file, with or without such layers."""
ANDROID_RECIPES = ("float32", "static_wi8_ai8")


@dataclass(frozen=True)
class Demo:
    """Train, export, verify and measure two networks, and write a report.

    LeNet-5 on scikit-learn's digits and ResNet-20 on Fashion-MNIST (on the digits where that is
    neither found nor downloadable). Run again, it goes on where it was stopped.
    """

    out: Path = Path("demo")
    """Folder for runs, files and report."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads to measure with."""
    data_dir: Path | None = None
    """Folder in which data sets are looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        start_keras()
        from .demo import demo

        document = demo(self.out, self.data_dir, self.threads)
        text = Path(document["markdown"]).read_text(encoding="utf-8")
        text += f"\n{document['report']} written after {document['seconds']:.0f} s"
        refused = [r for e in document["exports"] for r in e["files"] if not r["accepted"]]
        return Outcome(document, text, exit_code=1 if refused else 0)


@dataclass(frozen=True)
class Export(SourceOptions):
    """Convert, quantize, verify: a folder of .tflite files that passed.

    A file beyond its recipe's limits is refused: it is not written, and the exit code is 1. A model
    from elsewhere first becomes a run folder in OUT, which every command takes.
    """

    source: tyro.conf.Positional[Path]
    """Run folder, or a .keras file in one; or a model from elsewhere: a .keras or .h5 file, a
    SavedModel folder, or a name of keras.applications, for example MobileNetV2."""
    out: Path | None = None
    """Folder for the files and export.json; for a run with --android it may be left out."""
    recipes: tuple[str, ...] = ()
    """Names as in the README: float32, static_wi8_ai8, aware_wi8_ai8, ...; by default those that
    need no training and that XNNPACK runs."""
    tuning_epochs: int | None = None
    """Passes over the training images for a recipe that trains the network on; by default a tenth
    of the run's own."""
    flip: bool | None = None
    """Mirror images at random where a recipe trains the network on, if the data set allows it; by
    default as the run was trained, and not for a model from elsewhere."""
    keep_float: str | None = None
    """What stays in floating point: a regular expression that is found in names of tensors, as
    `verify --layers` shows them, for example '/(conv1|logits)_'. They begin with the model's name
    and a slash."""
    input_type: IOType = "float32"
    """Of the files' input. int8 and uint8 are for static_wi8_ai8 and what is made by it: the
    integers are the raw pixels (int8: less 128), to half a gray level, where all channels have the
    same mean and std. int16 is for static_wi8_ai16."""
    output_type: IOType = "float32"
    """Of the files' output, likewise."""
    android: bool = False
    """Also add the files to this clone's Android app; float32 and static_wi8_ai8 by default."""
    split: str = "validation"
    """Held-out images that judge the files: validation or test."""
    run: Path | None = None
    """Run folder whose data and preprocessing a lone .keras file is checked with, instead of being
    a model from elsewhere."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        recipes = self.chosen()
        if self.tuning_epochs is not None and self.tuning_epochs < 1:
            raise UsageError(f"The tuning epochs must be above 0, not {self.tuning_epochs}.")
        if self.split not in ("validation", "test"):
            raise UsageError(f"Files are judged on validation or test, not '{self.split}'.")
        from cnn_keras.weights.external_model import is_external, require_model_source

        require_model_source(self.source)
        foreign = self.run is None and is_external(self.source)
        own = None if foreign else self._own_run()
        from .pipeline import add_to_app, app_models, export, file_name

        if self.out is None and (foreign or not self.android):
            raise UsageError("Name a folder for the files with --out.")
        models = app_models(ANDROID_DEMO) if self.android else None
        source = self._of_run(own) if own else self._adopted(self.out or Path())
        out = self.out or source.run.path / "files"
        document = export(source, out, recipes, self.split, self.tuning_epochs, self.flip)
        if models:
            names = [file_name(source, recipe) for recipe in recipes]
            add_to_app(document, names, out, models)
        refused = [row for row in document["files"] if not row["accepted"]]
        return Outcome(document, export_table(document, out), exit_code=1 if refused else 0)

    def _own_run(self) -> Run:
        """Return the run folder that is exported, or that a lone file is checked with."""
        from cnn_keras.training.run_folder import Run
        from cnn_keras.weights.external_model import is_model_file

        lone = is_model_file(self.source)
        if self.run and not lone:
            raise UsageError(f"--run is for a .keras file, and {self.source} is none.")
        run = Run.open(self.run or (self.source.parent if lone else self.source))
        for name in self.given():
            raise UsageError(
                f"--{name.replace('_', '-')} is for a model from elsewhere: the run {run.path} has "
                "its own."
            )
        return replace(run, model_file=self.source) if lone else run

    def _of_run(self, run: Run) -> Source:
        from .pipeline import Source

        start_keras()
        name = run.path.resolve().name
        if run.model_file and run.model_file.stem != "model":
            name = f"{name}_{run.model_file.stem}"
        return Source(name, run.model(), run, run.dataset(self.data_dir))

    def _adopted(self, out: Path) -> Source:
        from cnn_keras.weights.model_import import check_options, import_model

        from .pipeline import Source

        check_options(self.source, self)  # what is wrong is said before Keras is imported
        start_keras()
        run, dataset = import_model(self.source, self, out, self.data_dir)
        return Source(run.path.name, run.model(), run, run.prepare(dataset))

    def chosen(self) -> list[Recipe]:
        """Return the recipes.

        Raises:
            UsageError: A name is none of them, or has no such input or output.
        """
        from .recipes import select

        rows = select(self.recipes or (ANDROID_RECIPES if self.android else ()))
        rows = [row.with_io_types(self.input_type, self.output_type) for row in rows]
        if self.keep_float is None:
            return rows
        kept = regular_expression(self.keep_float)
        return [row if row.stored_as == "float32" else row.with_float_layers(kept) for row in rows]


@dataclass(frozen=True)
class Verify:
    """Hold a .tflite file against the Keras model of its run; exit code 1 refuses it.

    With --layers it says which layer loses what, the worst first; --repair leaves as few layers as
    possible in floating point until the file passes.
    """

    file: tyro.conf.Positional[Path]
    """The .tflite file."""
    run: Path | None = None
    """Run folder; by default the one that export.json, beside the file, names."""
    recipe: str | None = None
    """Recipe whose limits apply; by default the one that export.json names, or that the file looks
    like."""
    keep_float: str | None = None
    """What stays in floating point besides, as the command that made the file had it."""
    layers: bool = False
    """Compare every layer with the float32 file on real images."""
    figure: Path | None = None
    """Also draw that comparison, as .svg or .png."""
    repair: Path | None = None
    """Write a file that passes, and say what it costs."""
    split: str = "validation"
    """train, validation or test."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.command import progress
        from cnn_keras.training.predict import predict
        from cnn_keras.training.run_folder import Run

        from .provenance import find_run, read_export_row
        from .tflite.interpreter import read_file
        from .tflite.isolation import call
        from .verification.audit import refusals, remarks
        from .verification.verify import verify

        if self.figure and self.figure.suffix.lower() not in FIGURES:
            raise UsageError(f"A figure is a file {' or '.join(FIGURES)}, not {self.figure}.")
        content = read_file(self.file)
        found = call("verification.audit.audit", self.file, file=self.file)
        path, stated = self.run or find_run(self.file), read_export_row(self.file)
        if path is None:
            raise UsageError(f"Which run is {self.file} from? Name it with --run.")
        name = self.recipe or stated.get("recipe") or found.recipe
        if name is None:
            raise UsageError(f"{self.file} looks like no known recipe: name one with --recipe.")
        limits = as_stated(name, stated)
        if self.keep_float is not None:
            limits = limits.with_float_layers(regular_expression(self.keep_float))
        run = Run.open(path)
        if self.run is None and stated.get("model"):
            run = replace(run, model_file=self.file.parent / stated["model"])
        start_keras()
        dataset = run.dataset(self.data_dir)
        split = dataset.split(self.split)
        labels = split.labels if dataset.labeled else None
        reference, images = run.predict(split.images), run.preprocessing(split.images)
        origin = None
        if limits.techniques:
            from .pipeline import made_from

            tuned = made_from(run, limits, stated.get("tuned_weights"))
            origin = predict(tuned, run.preprocessing, split.images)
        judged = self.file, reference, images, labels, limits, origin
        with progress("verify", len(images)) as advance:
            verdict = call("verification.verify.verify", *judged, file=self.file, advance=advance)
        reasons = refusals(found, limits, verdict.reasons)
        document: dict[str, Any] = {
            "file": str(self.file),
            "recipe": name,
            "data": dataset.name,
            "labeled": dataset.labeled,
            "split": self.split,
            **verdict.to_dict(),
            "accepted": not reasons,
            "reasons": reasons,
            "remarks": remarks(found),
        }
        text: list[Any] = [fields(document)]
        if self.layers or self.figure or self.repair:
            from .pipeline import calibration_of, unrounded
            from .verification.layer_errors import COMPARED_IMAGES, figure, repair

            float32 = unrounded(run, limits)
            sample = run.preprocessing(split.sample(COMPARED_IMAGES).images)
            compared = float32, content, sample
            with progress("compare", len(sample)) as advance:
                layers = call(
                    "verification.layer_errors.compare", *compared, file=self.file, advance=advance
                )
            document["layers"] = [layer._asdict() for layer in layers]
            text.append(layers_table(document["layers"]))
            if self.figure:
                save_figure(figure(layers), self.figure)
        if self.repair:
            from .conversion.quantize import observe

            ranges = None
            if limits.needs_calibration:
                ranges = observe(float32, calibration_of(run, dataset))
            repaired = repair(
                float32,
                limits.with_io_types(found.input.dtype, found.output.dtype),
                ranges,
                lambda data, row: verify(data, reference, images, labels, row, origin),
                sample,
                log,
                run.preprocessing.range,
            )
            document["repaired"] = self._write(self.repair, content, repaired)
            text.append(fields(document["repaired"]))
            reasons = []
        return Outcome(document, Group(*text), exit_code=1 if reasons else 0)

    def _write(self, path: Path, content: bytes, repaired: Repaired) -> dict[str, Any]:
        """Write the repaired file and return what it holds and costs."""
        from cnn_keras.command import write_atomic

        from .benchmark.compare import compare
        from .benchmark.runner import LoadOptions, TimingOptions
        from .tflite import metadata

        about = metadata.read(content)
        data = metadata.write(repaired.content, about) if about else repaired.content
        write_atomic(path, data)
        log(f"{path}: time it in turns with {self.file}")
        timed = compare(LoadOptions(str(path)), LoadOptions(str(self.file)), TimingOptions())
        return {
            "file": str(path),
            "float_layers": [layer.layer for layer in repaired.layers],
            "keep_float": repaired.recipe.float_layers,
            "files_tried": repaired.files,
            **repaired.verdict.to_dict(),
            "size_bytes": len(data),
            "size_ratio": len(data) / len(content),
            "latency_p50_ms": timed.row.latency_p50_ms,
            "latency_ratio": timed.ratio.value,
            "latency_ratio_interval": [timed.ratio.low, timed.ratio.high],
        }


@dataclass(frozen=True)
class Audit:
    """Say what is in a .tflite file: operations, types, partitions, labels.

    Custom and Flex operations, dynamic dimensions and float islands refuse it, whether or not it
    looks like a recipe: exit code 1. What a vendor compiled is named as that.
    """

    file: tyro.conf.Positional[Path]
    """The .tflite file."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .tflite.isolation import call

        document = call("verification.audit.report", self.file, file=self.file)
        return Outcome(document, fields(document), exit_code=1 if document["reasons"] else 0)


COMMANDS: dict[str, type | cli.Group] = {
    "demo": Demo,
    **cli.COMMANDS,
    "export": Export,
    "verify": Verify,
    "audit": Audit,
    "benchmark": Benchmark,
    "study": cli.Group("Put a claim to the test and record what was found.", STUDIES),
}


def layers_table(layers: Sequence[dict[str, Any]]) -> Any:
    """Return the table of a comparison by layer; see `layers.Layer`."""
    lines = [
        (
            layer["row"],
            layer["tensor"].split(";")[0],
            layer["op"],
            layer["dtype"],
            f"{max(layer['added'], 0):.2%}",
            f"{layer['lost']:.2%}",
            number(layer["snr_db"], ".1f"),
            f"{layer['mse']:.2g}",
        )
        for layer in layers
    ]
    columns = ("row", "tensor", "op", "type", "loses", "lost behind it", "SNR dB", "MSE")
    return table(columns, lines, title="Signal lost by channel, the worst layer first")


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file's ending."""
    import io

    from cnn_keras.command import write_atomic

    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix.lower().removeprefix("."))
    write_atomic(path, drawn.getvalue())


def as_stated(name: str, stated: Mapping[str, Any]) -> Recipe:
    """Return a recipe with the layers that a file of it keeps in floating point.

    Args:
        name: Of the recipe.
        stated: What export.json says of the file; of another recipe it says nothing here.
    """
    from .recipes import recipe

    row, kept = recipe(name), stated.get("float_layers")
    if name != stated.get("recipe") or kept == LRN_BY_NAME:
        return row
    return row._replace(float_layers=kept)


def regular_expression(text: str) -> str:
    """Return a regular expression that is one.

    Raises:
        UsageError: It is none.
    """
    try:
        re.compile(text)
    except re.error as error:
        raise UsageError(f"--keep-float {text!r} is no regular expression: {error}.") from None
    return text


def fields(document: dict[str, Any]) -> Any:
    """Return a document as a table of names and values."""
    from rich.table import Table

    result = Table(show_header=False, box=None)
    for key, value in document.items():
        text = str(value)
        if isinstance(value, dict):
            text = ", ".join(f"{name} {part}" for name, part in value.items())
        elif isinstance(value, list | tuple):
            text = ", ".join(map(str, value)) or "none"
        elif isinstance(value, float):
            text = f"{value:.6g}"
        result.add_row(key.replace("_", " "), escape(text))
    return result


def main(argv: Sequence[str] | None = None, prog: str = "cnn-keras") -> int:
    """Run one command and return its exit code; see `cnn_keras.cli.main`."""
    return cli.main(COMMANDS, argv, prog)
