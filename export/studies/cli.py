"""The commands of the studies of files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from cnn_keras.command import Outcome, start_keras
from cnn_keras.errors import UsageError, unknown
from cnn_keras.options import RecipeOptions
from cnn_keras.studies import cli as studies
from cnn_keras.zoo import ZOO, network


@dataclass(frozen=True, kw_only=True)
class EnsembleStudy(studies.EnsembleStudy):
    """Average the answers of independent networks, and compare with one residual network.

    Error by the number of members, over all ensembles of a size; and the ensemble of all as a run
    folder, which `evaluate`, `predict` and `export` take, and with --export as one file.
    """

    export: Path | None = None
    """Also write the ensemble as files into this folder, checked as `export` does."""
    recipes: tuple[str, ...] = ()
    """Names as in the README, with --export; all by default."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.experiments.record import claims_table
        from cnn_keras.training.run_folder import Run

        from ..recipes import select

        if self.export is None:
            if self.recipes:
                raise UsageError("Name a folder for the files with --export.")
            return super().__call__()
        recipes = select(self.recipes)  # a wrong name is reported before the training
        document = self.record()

        from ..export_table import export_table
        from ..pipeline import Source, export

        run = Run.open(self.folder)
        source = Source(run.path.resolve().name, run.model(), run, run.dataset(self.data_dir))
        exported = export(source, self.export, recipes)
        text = Group(claims_table(document), export_table(exported, self.export))
        refused = any(not row["accepted"] for row in exported["files"])
        return Outcome(document | {"export": exported}, text, exit_code=1 if refused else 0)


@dataclass(frozen=True)
class RecipeStudy(RecipeOptions):
    """Export every network by every recipe and record what each costs on the test split.

    Finished trainings are skipped, so that the command resumes.
    """

    networks: tuple[str, ...] = tuple(ZOO)
    """Networks, as `list` names them."""
    recipes: tuple[str, ...] = ()
    """Names as in the README; by default those that need no training and that XNNPACK runs."""
    data: str = "digits"
    """Data set, as `train` names it."""
    seed: int = 0
    """Of every training."""
    train_images: int | None = None
    """Train on this many images, seeded and stratified."""
    image_size: int | None = None
    """Side of the images, or more where a network needs it; the data set's by default."""
    tuning_epochs: int | None = None
    """Passes over them for a recipe that trains on; by default a tenth of the training's own."""
    runs: Path = Path("runs")
    """Folder of the run folders."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from cnn_keras.training.config import Training

        from ..recipes import select

        rows = select(self.recipes)
        trainings = [
            Training.of(
                name,
                self.data,
                recipe=self.recipe_overrides(),
                seed=self.seed,
                train_images=self.train_images,
                image_size=studies.side(self.image_size, name),
            )
            for name in self.networks
        ]
        start_keras()
        from .recipes import recipes

        document = recipes(
            trainings,
            rows,
            self.runs,
            self.out,
            tuning_epochs=self.tuning_epochs,
            data_dir=self.data_dir,
        )
        return studies.recorded(document)


@dataclass(frozen=True, kw_only=True)
class RepairStudy(studies.StudyTrainings):
    """Ruin one layer of trained networks for 8 bits, look for it, and repair the files."""

    network: str = "resnet20"
    """Network, as `list` names it."""
    layer: str = "conv3_2_a_bn"
    """Batch normalization that only convolutions read, through a rectifier."""

    def __call__(self) -> Outcome:
        training = self.training(self.network)
        start_keras()
        from .repair import repairing

        document = repairing(training, self.seeds, self.layer, self.runs, self.out, self.data_dir)
        return studies.recorded(document)


@dataclass(frozen=True)
class ConversionStudy:
    """Convert every network at its paper's size, and record partitions and equality with Keras."""

    networks: tuple[str, ...] = tuple(ZOO)
    """Networks, as `list` names them."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        for name in self.networks:
            network(name)
        start_keras()
        from .conversion import conversion

        document = conversion(self.networks, self.out)
        return studies.recorded(document)


@dataclass(frozen=True)
class ConverterStudy:
    """Make all of a network's files, converted once, beside TensorFlow's converter."""

    network: str = "resnet50"
    """Network, as `list` names it."""
    images: int = 200
    """For calibration."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        network(self.network)
        if self.images < 1:
            raise UsageError(f"The calibration images must be above 0, not {self.images}.")
        start_keras()
        from .converter import converter

        return studies.recorded(converter(self.network, self.out, self.images))


@dataclass(frozen=True)
class AgreementStudy:
    """Time a file in turns with our runner and with litert-benchmark, and record the ratio."""

    file: tyro.conf.Positional[Path]
    """The .tflite file; from 0.1 ms, for that tool's fixed cost not to dominate."""
    pairs: int = 10
    """Runs of each tool."""
    secs: float = 1.0
    """Seconds of timed inferences in each run, about; half as long before them to warm up."""
    threads: int = 1
    """Threads that LiteRT may use."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .agreement import agreement

        document = agreement(
            self.file, self.out, pairs=self.pairs, secs=self.secs, threads=self.threads
        )
        return studies.recorded(document)


@dataclass(frozen=True)
class PeerStudy:
    """Time networks in LiteRT, ONNX Runtime, OpenVINO and TensorFlow with XLA, in turns."""

    networks: tuple[str, ...] = ("alexnet", "vgg16", "googlenet", "resnet18", "resnet50")
    """Networks, as `list` names them."""
    engines: tuple[str, ...] = ("onnxruntime", "openvino", "xla")
    """Those beside LiteRT."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads."""
    rounds: int = 10
    """Turns of each engine."""
    secs: float = 1.0
    """Seconds of timed inferences in a turn."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .peers import peers, require

        for name in self.networks:
            network(name)
        require(self.engines)
        start_keras()
        document = peers(
            self.networks,
            self.out,
            engines=self.engines,
            threads=self.threads,
            secs=self.secs,
            rounds=self.rounds,
        )
        return studies.recorded(document)


@dataclass(frozen=True)
class LrnStudy:
    """Time AlexNet and GoogLeNet with local response normalization in turns with those without."""

    networks: tuple[str, ...] = ("alexnet", "googlenet")
    """Which of the two."""
    image_size: int | None = None
    """Side of the image; the paper's by default."""
    rounds: int = 10
    """Pairs of processes for each recipe and number of threads."""
    secs: float = 2.0
    """Seconds of timed inferences of each file in a round."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from .lrn import WITHOUT, lrn

        for name in self.networks:
            if name not in WITHOUT:
                raise unknown("network with LRN", name, WITHOUT)
        start_keras()
        document = lrn(
            self.out,
            networks=self.networks,
            image_size=self.image_size,
            secs=self.secs,
            rounds=self.rounds,
        )
        return studies.recorded(document)


STUDIES = {
    **studies.STUDIES,
    "ensemble": EnsembleStudy,
    "recipes": RecipeStudy,
    "repair": RepairStudy,
    "conversion": ConversionStudy,
    "converter": ConverterStudy,
    "agreement": AgreementStudy,
    "peers": PeerStudy,
    "lrn": LrnStudy,
}
