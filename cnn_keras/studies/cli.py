"""The commands of the studies of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..command import Command, Outcome, start_keras
from ..errors import UsageError
from ..experiments.record import record_outcome
from ..options import BaseRecipeOption, ModelOptions, NetworkArgument
from ..trained.table import is_name, zoo_name
from .option_checks import (
    require_ascending,
    require_at_least,
    require_modules,
    require_same_data,
    require_shortcuts,
    require_unique,
)
from .options import NetworkStudyCommand, StudyCommand, TrainingStudyCommand
from .training.cli import ClassWeightsStudy, ProcessesStudy, TrainingRecipesStudy

if TYPE_CHECKING:
    from ..training.config import Training


@dataclass(frozen=True, kw_only=True)
class AccuracyStudy(BaseRecipeOption, ModelOptions, NetworkArgument, NetworkStudyCommand):
    """Train a network with several seeds, and record its test accuracy.

    Finished runs are skipped, so that the same command resumes an interrupted study.
    """

    at_least: float
    """Claimed accuracy, between 0 and 1."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Train once for each seed."""
    max_seconds: float | None = None
    """Also claim that no training takes longer."""

    def __call__(self) -> Outcome:
        from ..training.config import Training
        from .accuracy import accuracy

        training = Training.of(
            self.name,
            self.data,
            recipe=self.recipe_overrides(),
            base_recipe=self.recipe,
            train_images=self.train_images,
            image_size=self.image_size,
            options=self.model_options(),
        )
        start_keras()
        document = accuracy(
            training,
            self.seeds,
            self.workspace(),
            at_least=self.at_least,
            max_seconds=self.max_seconds,
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class DepthStudy(StudyCommand):
    """Record the revolution of depth, and the cost of Inception modules, naive and reduced."""

    def __call__(self) -> Outcome:
        start_keras()
        from .depth import depth, tables

        document = depth(self.out)
        return Outcome(document, tables(document))


@dataclass(frozen=True, kw_only=True)
class DegradationStudy(TrainingStudyCommand):
    """Record the errors and gradients of plain and of residual networks of different depths.

    He et al., arXiv:1512.03385, Fig. 1 and Fig. 6.
    """

    depths: tuple[int, ...] = (20, 56)
    """Depths of the networks, two or more in ascending order."""

    def __call__(self) -> Outcome:
        require_ascending(depths=self.depths)
        plain, residual = self.plain_and_residual(self.depths)
        start_keras()
        from .degradation import degradation

        return record_outcome(degradation(plain, residual, self.seeds, self.workspace()))


@dataclass(frozen=True, kw_only=True)
class EnsembleStudy(TrainingStudyCommand):
    """Average the predictions of independent networks, and compare with one residual network.

    Records the error by number of members, over all ensembles of a size. The ensemble of all
    members is written as a run folder, which `evaluate`, `predict` and `export` take.
    """

    network: str = "resnet20"
    """Network of the members, as `list` names it."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Train one member for each seed."""
    against: str | None = "resnet56"
    """Network to compare with; None for no comparison."""
    rivals: int = 3
    """Number of seeds for the network to compare with: the first ones of --seeds."""
    save: Path | None = None
    """Run folder of the ensemble; by default NETWORK_ensemble_DATA in the folder of the runs."""

    @property
    def folder(self) -> Path:
        """Run folder of the ensemble."""
        from ..experiments.training_runs import run_name

        return self.save or self.runs / run_name(self.training(self.network), "ensemble")

    def __call__(self) -> Outcome:
        return record_outcome(self.record())

    def record(self) -> dict[str, Any]:
        """Run the study and return its record."""
        from ..training.ensemble import require_replaceable

        training = self.training(self.network)
        if len(self.seeds) < 2:
            raise UsageError(f"An ensemble needs two --seeds or more, not {self.seeds[0]} alone.")
        require_at_least(1, rivals=self.rivals)
        baseline = self.training(self.against) if self.against else None
        require_replaceable(self.folder)
        start_keras()
        from .ensemble import ensemble

        return ensemble(
            training,
            self.seeds,
            self.workspace(),
            baseline=baseline,
            baseline_seeds=self.seeds[: self.rivals],
            folder=self.folder,
        )


@dataclass(frozen=True, kw_only=True)
class IdentityStudy(TrainingStudyCommand):
    """Train stacks of plain and of residual modules on the identity, and inspect networks.

    The stacks learn to output their input, the maps before the last module of the shallowest
    residual network. In the networks, the study measures the responses of the layers and the change
    by each module.
    """

    depths: tuple[int, ...] = (20, 56)
    """Depths of the plain and residual networks, two or more in ascending order."""
    layers: tuple[int, ...] = (2, 4, 8, 16)
    """Numbers of layers of the stacks, two for each module; two or more in ascending order."""
    steps: int = 256
    """Training steps of a stack, a multiple of 16."""

    def __call__(self) -> Outcome:
        require_ascending(depths=self.depths, layers=self.layers)
        if self.layers[0] < 2 or any(count % 2 for count in self.layers):
            given = " ".join(map(str, self.layers))
            raise UsageError(f"--layers takes even numbers such as 2, 4, 6, not {given}.")
        if self.steps < 16 or self.steps % 16:
            raise UsageError(f"--steps takes a multiple of 16 such as 16, 32, not {self.steps}.")
        plain, residual = self.plain_and_residual(self.depths)
        start_keras()
        from .identity import identity

        document = identity(
            plain,
            residual,
            self.seeds,
            self.workspace(),
            layers=self.layers,
            steps=self.steps,
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class LesionStudy(TrainingStudyCommand):
    """Delete modules of trained networks, singly and several at random, and record the error.

    Compares residual networks with plain ones and a VGG. Trainings and results are cached, so that
    the same command resumes an interrupted study.
    """

    networks: tuple[str, ...] = ("resnet56", "plain56", "vgg11")
    """Networks of the residual, plain and VGG families, as `list` or `list --weights` names them.
    Those of the latter are not trained."""
    test_images: int = 2_000
    """Evaluate on this many test images, a seeded stratified sample; 0 for all."""
    count: int = 10
    """Delete up to this many modules of a residual network together."""
    draws: int = 20
    """Number of random orders in which the modules are deleted."""
    vgg_epochs: int = 4
    """Epochs of a VGG, which is trained with the first seed only; 0 for the paper's number."""
    vgg_batch_size: int = 64
    """Images per step of a VGG."""
    vgg_learning_rate: float = 0.015
    """Learning rate of a VGG, which is trained with batch normalization."""

    def __call__(self) -> Outcome:
        require_unique(networks=[zoo_name(network) for network in self.networks])
        require_at_least(1, count=self.count, draws=self.draws)
        require_at_least(0, test_images=self.test_images, vgg_epochs=self.vgg_epochs)
        trainings = [self.training_and_seeds(network) for network in self.networks]
        require_same_data([training for training, _ in trainings])
        start_keras()
        from .lesion import lesion

        document = lesion(
            trainings,
            self.workspace(),
            test_images=self.test_images or None,
            count=self.count,
            draws=self.draws,
        )
        return record_outcome(document)

    def training_and_seeds(self, network: str) -> tuple[Training, Sequence[int]]:
        """Return the training of a network and its seeds, which differ for a VGG.

        Raises:
            UsageError: The network has no modules, or an option has a wrong value.
        """
        require_modules(zoo_name(network), "cifar_resnet", "resnet", "vgg")
        if not network.startswith("vgg") or is_name(network):
            return super().training_and_seeds(network)
        recipe = {
            "epochs": self.vgg_epochs,
            "batch_size": self.vgg_batch_size,
            "learning_rate": self.vgg_learning_rate,
        }
        options = {"batch_normalization": True}
        return self.training(network, recipe=recipe, options=options), self.seeds[:1]


@dataclass(frozen=True, kw_only=True)
class ShuffleStudy(TrainingStudyCommand):
    """Swap modules of a trained residual network, and record the error by Kendall's tau.

    Trainings and results are cached, so that the same command resumes an interrupted study.
    """

    network: str = "resnet56"
    """Residual network, as `list` or `list --weights` names it."""
    test_images: int = 500
    """Evaluate on this many test images, a seeded stratified sample; 0 for all. The error varies
    more between orders than between images, hence few images and many orders."""
    count: int = 10
    """Number of pairs of modules that are swapped one after the other."""
    draws: int = 60
    """Number of sequences of swaps."""

    def __call__(self) -> Outcome:
        require_at_least(1, count=self.count, draws=self.draws)
        require_at_least(0, test_images=self.test_images)
        require_modules(zoo_name(self.network), "cifar_resnet", "resnet")
        training, seeds = self.training_and_seeds(self.network)
        start_keras()
        from .shuffle import shuffle

        document = shuffle(
            training,
            seeds,
            self.workspace(),
            test_images=self.test_images or None,
            count=self.count,
            draws=self.draws,
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class PathsStudy(TrainingStudyCommand):
    """Count the paths through a residual network, and measure the gradient along some of them.

    Veit et al., arXiv:1605.06431, Fig. 6. Trainings and results are cached, so that the same
    command resumes an interrupted study.
    """

    network: str = "resnet56"
    """Network with shortcuts, as `list` or `list --weights` names it."""
    images: int = 256
    """Number of training images; each is measured along one path of every length."""
    control: str | None = "resnet20"
    """Network for 32×32 images that is also trained on effective paths only; None for no control.
    """

    def __call__(self) -> Outcome:
        require_at_least(2, images=self.images)
        training, seeds = self.training_and_seeds(self.network)
        require_shortcuts(zoo_name(self.network), "cifar_resnet", "resnet")
        control = None
        if self.control:
            control = self.training(self.control)
            require_shortcuts(self.control, "cifar_resnet")
        start_keras()
        from .paths import paths

        document = paths(
            training,
            seeds,
            self.workspace(),
            images=self.images,
            control=control,
        )
        return record_outcome(document)


STUDIES: dict[str, type[Command]] = {
    "accuracy": AccuracyStudy,
    "class-weights": ClassWeightsStudy,
    "degradation": DegradationStudy,
    "depth": DepthStudy,
    "ensemble": EnsembleStudy,
    "identity": IdentityStudy,
    "lesion": LesionStudy,
    "paths": PathsStudy,
    "processes": ProcessesStudy,
    "shuffle": ShuffleStudy,
    "training-recipes": TrainingRecipesStudy,
}
