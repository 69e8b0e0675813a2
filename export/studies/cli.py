"""The commands of the studies of files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from cnn_keras.command import Outcome, start_keras
from cnn_keras.errors import UsageError, unknown
from cnn_keras.experiments.record import record_outcome
from cnn_keras.options import BaseRecipeOption, DataDirOption
from cnn_keras.studies import cli as network_studies
from cnn_keras.studies.option_checks import require_at_least, require_same_data, require_unique
from cnn_keras.studies.options import (
    NetworkStudyCommand,
    RunsOption,
    StudyCommand,
    TrainingStudyCommand,
    image_side,
)
from cnn_keras.trained.table import is_name, zoo_name
from cnn_keras.zoo import ZOO, network

from .comparison.cli import ComparisonStudy
from .scaling.cli import ScalingStudy
from .speed.cli import LoaderStudy, ThroughputStudy

if TYPE_CHECKING:
    from cnn_keras.training.config import Training


@dataclass(frozen=True, kw_only=True)
class EnsembleStudy(network_studies.EnsembleStudy):
    """Average the predictions of independent networks, and compare with one residual network.

    Records the error by number of members, over all ensembles of a size. The ensemble of all
    members is written as a run folder, which `evaluate`, `predict` and `export` take, and with
    --export also as files.
    """

    export: Path | None = None
    """Also write the ensemble as .tflite files into this folder, verified as by `export`."""
    recipes: tuple[str, ...] = ()
    """Recipes of these files, by default those of `export`."""

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
        from ..pipeline import export
        from ..source_model import SourceModel

        run = Run.open(self.folder)
        source = SourceModel.of_run(run, self.data_dir)
        exported = export(source, self.export, recipes)
        text = Group(claims_table(document), export_table(exported, self.export))
        refused = any(not row["accepted"] for row in exported["files"])
        return Outcome(document | {"export": exported}, text, exit_code=1 if refused else 0)


@dataclass(frozen=True, kw_only=True)
class RecipeStudy(BaseRecipeOption, NetworkStudyCommand):
    """Export networks with several recipes, and record the cost of each on the test split.

    Finished runs are skipped, so that the same command resumes an interrupted study.
    """

    networks: tuple[str, ...] = tuple(ZOO)
    """Networks, as `list` or `list --weights` names them. Those of the latter are not trained."""
    recipes: tuple[str, ...] = ()
    """Recipes, by default those of `export`."""
    data: str = "digits"
    """Data set, as `train` names it."""
    seed: int = 0
    """Seed of each training."""
    image_size: int | None = None
    """Side of the images, larger for a network that needs it; the data set's by default."""
    tuning_epochs: int | None = None
    """Epochs of the further training that some recipes need; by default a tenth of the training's
    own."""

    def __call__(self) -> Outcome:
        from ..recipes import select

        rows = select(self.recipes)
        require_unique(networks=[zoo_name(name) for name in self.networks])
        trainings = [self.training(name) for name in self.networks]
        require_same_data(trainings)
        start_keras()
        from .recipes import recipes

        document = recipes(trainings, rows, self.workspace(), tuning_epochs=self.tuning_epochs)
        return record_outcome(document)

    def training(self, network: str) -> Training:
        """Return the training of a network, or of a trained network of the package.

        Raises:
            UsageError: The network is unknown, or an option has a wrong value.
        """
        from cnn_keras.experiments.training_runs import TrainedBefore
        from cnn_keras.training.config import Training

        if is_name(network):
            return TrainedBefore.find(network)
        return Training.of(
            network,
            self.data,
            recipe=self.recipe_overrides(),
            base_recipe=self.recipe,
            seed=self.seed,
            train_images=self.train_images,
            image_size=image_side(self.image_size, network),
        )


@dataclass(frozen=True, kw_only=True)
class RepairStudy(TrainingStudyCommand):
    """Scale one channel of trained networks so that int8 files fail, find it, and repair them."""

    network: str = "resnet20"
    """Network, as `list` names it."""
    layer: str = "conv3_2_a_bn"
    """Batch normalization to scale; only convolutions may read it, through a rectifier."""

    def __call__(self) -> Outcome:
        training = self.training(self.network)
        start_keras()
        from .repair import repair_study

        document = repair_study(training, self.seeds, self.workspace(), normalization=self.layer)
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class ConversionStudy(StudyCommand):
    """Convert networks at the size of their papers, and compare the files with Keras."""

    networks: tuple[str, ...] = tuple(ZOO)
    """Networks, as `list` names them."""

    def __call__(self) -> Outcome:
        for name in self.networks:
            network(name)
        start_keras()
        from .conversion import conversion

        return record_outcome(conversion(self.networks, self.out))


@dataclass(frozen=True, kw_only=True)
class ProfilesCommand(StudyCommand):
    """A study of the profiles of networks with random weights."""

    networks: tuple[str, ...]
    """Networks, as `list` names them."""
    image_size: int | None = None
    """Side of the input; by default those of the papers."""
    secs: float = 10.0
    """Seconds of timed rounds of each file."""

    def _start(self) -> None:
        """Refuse unknown networks, and start Keras."""
        for name in self.networks:
            network(name)
        start_keras()

    def _record(self, study: Callable[..., dict[str, Any]]) -> Outcome:
        """Run the study with these options."""
        return record_outcome(
            study(self.out, networks=self.networks, image_size=self.image_size, secs=self.secs)
        )


@dataclass(frozen=True, kw_only=True)
class ProfileStudy(ProfilesCommand):
    """Test how far the latencies of single operations explain the latency of a whole file."""

    networks: tuple[str, ...] = ("lenet5", "resnet20", "googlenet", "resnet50", "alexnet")
    """Networks, as `list` names them."""

    def __call__(self) -> Outcome:
        self._start()
        from .profile import profile

        return self._record(profile)


@dataclass(frozen=True, kw_only=True)
class EstimationStudy(ProfilesCommand):
    """Test how far off the estimated latency of a network is."""

    networks: tuple[str, ...] = ("resnet18", "resnet34", "googlenet", "vgg11", "alexnet", "nin")
    """Networks, as `list` names them."""

    def __call__(self) -> Outcome:
        self._start()
        from .estimation import estimation

        return self._record(estimation)


@dataclass(frozen=True, kw_only=True)
class ChoiceStudy(DataDirOption, RunsOption, StudyCommand):
    """Test whether `choose` finds the best of all mixes of types by layer."""

    network: Path = Path("lenet5:digits")
    """Trained network or run folder of a few layers; all mixes of it are made and timed."""
    searched: tuple[Path, ...] = ()
    """Trained networks or run folders whose choices are compared with the best recipe."""

    def __call__(self) -> Outcome:
        from cnn_keras.training.run_folder import Run

        for path in (self.network, *self.searched):
            Run.open(path)
        start_keras()
        from ..choice.cli import RECIPES
        from ..recipes import select
        from .choice import choice

        document = choice(
            self.out,
            enumerated=self.network,
            searched=self.searched,
            recipes=select(RECIPES),
            runs=self.runs,
            data_dir=self.data_dir,
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class ConverterStudy(StudyCommand):
    """Time the conversion of all files of a network, here and with TensorFlow's converter."""

    network: str = "resnet50"
    """Network, as `list` names it."""
    images: int = 200
    """Number of calibration images."""

    def __call__(self) -> Outcome:
        network(self.network)
        require_at_least(1, images=self.images)
        start_keras()
        from .converter import converter

        return record_outcome(converter(self.network, self.out, num_images=self.images))


@dataclass(frozen=True, kw_only=True)
class AgreementStudy(StudyCommand):
    """Time a file alternately with `benchmark` and litert-benchmark, and record the ratio."""

    file: tyro.conf.Positional[Path]
    """The .tflite file, which should take at least 0.1 ms: the other tool has a fixed cost."""
    pairs: int = 10
    """Number of runs of each tool."""
    secs: float = 1.0
    """Approximate seconds of timed inferences in each run; the warm-up takes half as long."""
    threads: int = 1
    """Number of threads."""

    def __call__(self) -> Outcome:
        from .agreement import agreement

        document = agreement(
            self.file, self.out, pairs=self.pairs, secs=self.secs, threads=self.threads
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class PeerStudy(StudyCommand):
    """Time networks alternately in LiteRT, ONNX Runtime, OpenVINO and TensorFlow with XLA."""

    networks: tuple[str, ...] = ("alexnet", "vgg16", "googlenet", "resnet18", "resnet50")
    """Networks, as `list` names them."""
    engines: tuple[str, ...] = ("onnxruntime", "openvino", "xla")
    """Engines to compare with LiteRT."""
    threads: tuple[int, ...] = (1, 2)
    """Numbers of threads."""
    rounds: int = 10
    """Number of turns of each engine."""
    secs: float = 1.0
    """Seconds of timed inferences in each turn."""

    def __call__(self) -> Outcome:
        from .engines import require_installed
        from .peers import peers

        for name in self.networks:
            network(name)
        require_installed(self.engines)
        start_keras()
        document = peers(
            self.networks,
            self.out,
            engines=self.engines,
            threads=self.threads,
            secs=self.secs,
            rounds=self.rounds,
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class LrnStudy(StudyCommand):
    """Time AlexNet and GoogLeNet alternately with and without local response normalization."""

    networks: tuple[str, ...] = ("alexnet", "googlenet")
    """alexnet, googlenet or both."""
    image_size: int | None = None
    """Side of the image; the paper's by default."""
    rounds: int = 10
    """Number of pairs of processes for each recipe and number of threads."""
    secs: float = 2.0
    """Seconds of timed inferences of each file in a round."""

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
        return record_outcome(document)


STUDIES = {
    **network_studies.STUDIES,
    "ensemble": EnsembleStudy,
    "recipes": RecipeStudy,
    "repair": RepairStudy,
    "conversion": ConversionStudy,
    "profile": ProfileStudy,
    "comparison": ComparisonStudy,
    "estimation": EstimationStudy,
    "choice": ChoiceStudy,
    "converter": ConverterStudy,
    "agreement": AgreementStudy,
    "peers": PeerStudy,
    "lrn": LrnStudy,
    "loader": LoaderStudy,
    "throughput": ThroughputStudy,
    "scaling": ScalingStudy,
}
