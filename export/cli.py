"""The whole command line; `demo` and `export` are here, the other commands in their packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from cnn_keras import cli, zoo
from cnn_keras.command import Command, Outcome, log, start_keras
from cnn_keras.errors import UsageError, unknown
from cnn_keras.options import DataDirOption, ModelOptions
from cnn_keras.trained.table import is_name
from cnn_keras.weights.source_options import SourceOptions

from . import app_models
from .benchmark import cli as benchmark
from .benchmark_report.cli import Report
from .cards.cli import Card, Publish
from .choice.cli import Choose
from .estimation.cli import Estimate
from .provenance import EXPORT_JSON
from .recipes import IOType, Recipe, select
from .studies.cli import STUDIES
from .tflite.cli import Predict
from .verification.cli import Audit, Verify, require_regex

if TYPE_CHECKING:
    from cnn_keras.training.run_folder import Run

    from .source_model import SourceModel


@dataclass(frozen=True, kw_only=True)
class Demo(DataDirOption, Command):
    """Train, export, verify and benchmark two networks, and write a report.

    LeNet-5 on scikit-learn's digits and ResNet-20 on Fashion-MNIST (on the digits if that is
    neither on disk nor downloadable). Beside each, the report shows the trained network of the
    package on the same data set, if there is one: see `list --weights`. The same command resumes a
    demo that was interrupted.
    """

    out: Path = Path("demo")
    """Folder for runs, files and report."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads to benchmark with."""

    def __call__(self) -> Outcome:
        start_keras()
        from .demo import demo

        document = demo(self.out, self.data_dir, self.threads)
        text = Path(document["markdown"]).read_text(encoding="utf-8")
        text += f"\n{document['report']} written after {document['seconds']:.0f} s"
        rows = [row for exported in document["exports"] for row in exported["files"]]
        return Outcome(document, text, exit_code=_exit_code(rows))


@dataclass(frozen=True, kw_only=True)
class Export(SourceOptions, DataDirOption, Command):
    """Convert, quantize and verify a model, and write the .tflite files that pass.

    A file beyond the limits of its recipe is refused: it is not written, and the exit code is 1. An
    external model first becomes a run folder in OUT, which every command takes.
    """

    source: tyro.conf.Positional[Path]
    """Run folder, a .keras file in one, or a trained network such as resnet20:fashion_mnist; or an
    external model: a .keras or .h5 file, a SavedModel folder, or a name of keras.applications, for
    example MobileNetV2."""
    out: Path | None = None
    """Folder for the files and export.json; optional for a run with --android."""
    recipes: tuple[str, ...] = ()
    """Recipes, as in the README: float32, static_wi8_ai8, aware_wi8_ai8, ...; by default those
    without further training whose files XNNPACK runs whole."""
    tuning_epochs: int | None = None
    """Passes over the training images for each technique of a recipe with further training; by
    default a tenth of the run's."""
    flip: bool | None = None
    """Mirror images at random in further training, if the data set allows it; by default as in the
    run's own training, and not for an external model."""
    keep_float: str | None = None
    """Tensors that stay in floating point: a regular expression that is searched in their names, as
    `verify --layers` shows them, for example '/(conv1|logits)_'. The names begin with the model's
    name and a slash."""
    int4: str | None = None
    """Convolutions and dense layers whose weights have 4 bits, in static_wi8_ai8 and the recipes
    based on it: a regular expression that is searched in the names of tensors. XNNPACK runs dense
    layers of 4 bits, and no convolutions."""
    input_type: IOType = "float32"
    """Type of the files' input. int8 and uint8 are for static_wi8_ai8 and the recipes based on it:
    the integers are the raw pixels (int8: minus 128), to half a gray level, if all channels have
    the same mean and std. int16 is for static_wi8_ai16."""
    output_type: IOType = "float32"
    """Type of the files' output, for the same recipes."""
    android: bool = False
    """Also add the files to this clone's Android app; float32 and static_wi8_ai8 by default."""
    split: str = "validation"
    """Held-out images that the files are verified on: validation or test."""
    run: Path | None = None
    """Run folder with the data and the preprocessing of a .keras file that is in no run folder; the
    file is then not taken as an external model."""

    def __call__(self) -> Outcome:
        recipes = self.selected_recipes()
        if self.tuning_epochs is not None and self.tuning_epochs < 1:
            raise UsageError(f"The tuning epochs must be above 0, not {self.tuning_epochs}.")
        if self.split not in ("validation", "test"):
            raise UsageError(f"Files are verified on validation or test, not '{self.split}'.")
        from cnn_keras.weights.external_model import is_external, require_model_source

        require_model_source(self.source)
        external = self.run is None and is_external(self.source)
        run = None if external else self._open_run()
        from .export_table import export_table
        from .pipeline import export

        if self.out is None and (external or not self.android):
            raise UsageError("Name a folder for the files with --out.")
        models = app_models.models_folder(app_models.APP) if self.android else None
        source = self._load_run(run) if run else self._import_model(self.out or Path())
        out = self.out or source.run.path / "files"
        document = export(source, out, recipes, self.split, self.tuning_epochs, self.flip)
        if models:
            names = [source.file_name(recipe) for recipe in recipes]
            app_models.update_models(models, document, names, out)
        return Outcome(document, export_table(document, out), _exit_code(document["files"]))

    def selected_recipes(self) -> list[Recipe]:
        """Return the recipes with the types of input and output, and the layers kept in float.

        Raises:
            UsageError: A recipe is unknown, or does not support a type of input or output.
        """
        rows = select(self.recipes or (app_models.RECIPES if self.android else ()))
        rows = [row.with_io_types(self.input_type, self.output_type) for row in rows]
        if pattern := require_regex(self.keep_float):
            rows = [
                row if row.stored_as == "float32" else row.with_float_layers(pattern)
                for row in rows
            ]
        if pattern := require_regex(self.int4, "--int4"):
            rows = [row.with_int4_layers(pattern) for row in rows]
        return rows

    def _open_run(self) -> Run:
        """Return the run folder of the source, or the one given for a model file."""
        from cnn_keras.training.run_folder import Run
        from cnn_keras.weights.external_model import is_model_file

        is_file = is_model_file(self.source)
        if self.run and not is_file:
            raise UsageError(f"--run is for a .keras file, and {self.source} is not one.")
        run = Run.open(self.run or (self.source.parent if is_file else self.source))
        for name in self.given():
            raise UsageError(
                f"--{name.replace('_', '-')} is for an external model: the run {run.path} has "
                "its own."
            )
        return replace(run, model_file=self.source) if is_file else run

    def _load_run(self, run: Run) -> SourceModel:
        from .source_model import SourceModel

        start_keras()
        return SourceModel.of_run(run, self.data_dir)

    def _import_model(self, out: Path) -> SourceModel:
        """Make a run folder of an external model."""
        from cnn_keras.weights.model_import import check_options, import_model

        from .source_model import SourceModel

        check_options(self.source, self)  # reports what is wrong before Keras is imported
        start_keras()
        run, dataset = import_model(self.source, self, out, self.data_dir)
        return SourceModel(run.path.name, run.model(), run, run.prepare_dataset(dataset))


@dataclass(frozen=True, kw_only=True)
class Benchmark(ModelOptions, benchmark.Benchmark):
    """Measure latency and memory of .tflite files.

    On this machine, each file runs in a fresh process that imports only ai-edge-litert and numpy.
    Inputs are validation images of the run that the file was exported from, or noise if that run is
    not known. At another place, the outputs for these images are first compared with those here; a
    file whose outputs differ is not timed, and the exit code is 1. Every measurement is appended to
    a JSONL file with host, versions and the file's hash.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The .tflite files; or trained networks such as resnet20:fashion_mnist, whose files are
    exported into the cache; or networks such as resnet18, which are converted there with random
    weights."""
    recipes: tuple[str, ...] = app_models.RECIPES
    """Recipes of the files of a network that is named."""
    image_size: int | None = None
    """Side of the input of a network without training; by default that of its paper."""
    classes: int | None = None
    """Number of classes of a network without training; by default that of its paper."""

    def measured_files(self) -> tuple[Sequence[Path], Mapping[Path, Path]]:
        """Return the files, and the images of those whose networks are not trained.

        Raises:
            UsageError: A network or a recipe is unknown, or an option does not fit.
            Error: A network cannot be converted, or the data set of a trained one cannot be loaded.
        """
        recipes = select(self.recipes)
        networks = [each for each in self.files if str(each) in zoo.ZOO and not each.exists()]
        if not networks and (self.image_size or self.classes or self.options):
            raise UsageError(
                "--image-size, --classes and --options are for networks without training."
            )
        files: list[Path] = []
        untrained: dict[Path, Path] = {}
        for source in self.files:
            if is_name(source):
                files += self._exported(source, recipes)
            elif source in networks:
                from .conversion.untrained import untrained_files

                found = untrained_files(
                    source.name, recipes, self.image_size, self.classes, self.model_options()
                )
                files += found.files
                untrained |= dict.fromkeys(found.files, found.images)
            elif source.suffix or source.exists():
                files.append(source)
            else:
                raise UsageError(unknown("network", source.name, zoo.ZOO))
        return files, untrained

    def _exported(self, name: Path, recipes: Sequence[Recipe]) -> list[Path]:
        """Return the files of a trained network, which are exported if they are not in the cache.

        Raises:
            UsageError: There is no such trained network.
            Error: Its data set cannot be loaded.
        """
        from cnn_keras.training.run_folder import Run

        run = Run.open(name)
        # `export --android` may write other recipes into "files".
        folder = run.path / "benchmark" / "-".join(recipe.name for recipe in recipes)
        if not (folder / EXPORT_JSON).is_file():  # which an export writes last
            log(f"{name}: export {' and '.join(recipe.name for recipe in recipes)} into {folder}")
            start_keras()
            from .pipeline import export
            from .source_model import SourceModel

            export(SourceModel.of_run(run, self.data_dir), folder, recipes)
        return sorted(folder.glob("*.tflite"))


COMMANDS: dict[str, type[Command] | cli.Group] = {
    "demo": Demo,
    **cli.COMMANDS,
    "predict": Predict,
    "export": Export,
    "verify": Verify,
    "audit": Audit,
    "benchmark": Benchmark,
    "estimate": Estimate,
    "report": Report,
    "choose": Choose,
    "card": Card,
    "publish": Publish,
    "study": cli.Group("Test a claim and record the result.", STUDIES),
}


def _exit_code(rows: Sequence[dict[str, object]]) -> int:
    """Return the exit code of an export: 1 if a file is refused."""
    return 0 if all(row["accepted"] for row in rows) else 1


def main(argv: Sequence[str] | None = None, prog: str = "cnn-keras") -> int:
    """Run one command and return its exit code; see `cnn_keras.cli.main`."""
    return cli.main(COMMANDS, argv, prog)
