"""The commands of the studies of trainings that differ in one thing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ...command import Outcome, start_keras
from ...errors import UsageError
from ...experiments.record import record_outcome
from ...options import BaseRecipeOption, RecipeOptions, TrainingDataOptions
from ...training.cli import require_package
from ..option_checks import require_paired_seeds
from ..options import NetworkStudyCommand, RemarkOption, StudyCommand, TrainingStudyCommand

if TYPE_CHECKING:
    from ...training.config import Training


@dataclass(frozen=True, kw_only=True)
class TrainingRecipesStudy(NetworkStudyCommand):
    """Train a network by several recipes with the same seeds, and compare their test accuracy.

    Each recipe is compared with the first one, seed by seed, after the same number of epochs.
    Finished runs are skipped, so that the same command resumes an interrupted study. Other options
    of the recipe replace values of all recipes.
    """

    recipes: tuple[str, ...]
    """Two or more: paper, modern, fast and TOML files, as `train --recipe` takes them."""
    network: str = "resnet20"
    """Network, as `list` names it."""
    data: str = "fashion_mnist"
    """Data set, as `train` names it."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Train once by each recipe for each seed; two or more."""
    epochs: int | None = 10
    """Passes over the training images; the schedules are stretched to them."""
    runs: Path = Path("runs/studies")
    """Folder of the run folders; finished runs are skipped."""

    def __call__(self) -> Outcome:
        require_paired_seeds(self.seeds)
        trainings = self.trainings()
        start_keras()
        from .training_recipes import training_recipes

        return record_outcome(training_recipes(trainings, self.seeds, self.workspace()))

    def trainings(self) -> dict[str, Training]:
        """Return the training by each recipe, by the name of the recipe or of its file.

        Raises:
            UsageError: There are fewer than two recipes or two of one name, or a value is wrong.
            Error: The file of a recipe cannot be read.
        """
        from ...training.config import Training

        names = [Path(recipe).stem for recipe in self.recipes]
        if len(names) < 2 or len(set(names)) < len(names):
            given = " ".join(self.recipes) or "none"
            raise UsageError(f"--recipes takes two or more of different names, not {given}.")
        return {
            name: Training.of(
                self.network,
                self.data,
                recipe=self.recipe_overrides(),
                base_recipe=recipe,
                train_images=self.train_images,
                image_size=self.image_size,
            )
            for name, recipe in zip(names, self.recipes, strict=True)
        }


@dataclass(frozen=True, kw_only=True)
class ClassWeightsStudy(TrainingStudyCommand):
    """Train a network on imbalanced images with and without class weights, and compare the results.

    The number of training images falls exponentially from the first class to the last (Cui et al.,
    arXiv:1901.05555). All trainings of a seed have the same images. The validation and test splits
    are not made imbalanced. Finished runs are skipped, so that the same command resumes an
    interrupted study.
    """

    network: str = "resnet20"
    """Network, as `list` names it."""
    data: str = "fashion_mnist"
    """Named data set or npz:FILE, as for `train`."""
    imbalance: float = 50
    """Ratio of the largest to the smallest class of the training images."""
    train_images: int | None = None
    """Draw the imbalanced images from this many, a seeded stratified sample; from all by default.
    """
    learning_rates: tuple[float, ...] = ()
    """Train with each of these instead of --learning-rate. The rate with the highest balanced
    accuracy on the validation split is chosen for each seed, with and without class weights
    independently."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Draw images, and train with and without class weights, for each seed; two or more."""

    def __call__(self) -> Outcome:
        require_paired_seeds(self.seeds)
        rates = self.learning_rates
        if len(set(rates)) < len(rates) or not all(0 < rate < math.inf for rate in rates):
            given = " ".join(f"{rate:g}" for rate in rates)
            raise UsageError(f"--learning-rates takes different numbers above 0, not {given}.")
        if not 1 <= self.imbalance < math.inf:
            raise UsageError(f"--imbalance must be a number of at least 1, not {self.imbalance:g}.")
        training = self.training(self.network)
        start_keras()
        from .class_weights import class_weights

        document = class_weights(
            training,
            self.seeds,
            self.workspace(),
            imbalance=self.imbalance,
            learning_rates=self.learning_rates,
        )
        return record_outcome(document)


@dataclass(frozen=True, kw_only=True)
class ProcessesStudy(
    BaseRecipeOption, RecipeOptions, TrainingDataOptions, RemarkOption, StudyCommand
):
    """Train a network in one process and in several, as several hosts do, and compare the results.

    All are processes of JAX on this machine, which train with the same images in each batch. A
    training ends with an error if the weights of its processes are not equal bit for bit after an
    epoch. The study shows that several hosts train correctly, not how fast they are. Finished runs
    are skipped, so that the same command resumes an interrupted study.
    """

    network: str = "resnet20"
    """Network, as `list` names it."""
    data: str = "fashion_mnist"
    """Data set, as `train` names it."""
    processes: tuple[int, ...] = (1, 2, 4)
    """Numbers of processes; the first one is compared with the others."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Train once with each number of processes for each seed; two or more."""
    train_images: int | None = 2_000
    """Train on this many images, a seeded stratified sample; 0 for all."""
    epochs: int | None = 5
    """Passes over the training images; the schedule is stretched to them."""
    learning_rate: float | None = 0.01
    """Learning rate before the first milestone. At a high rate, differences by rounding grow
    tenfold or more with each of the first steps."""
    tolerance: float = 0.01
    """Claimed largest relative difference of the training loss of an epoch."""
    runs: Path = Path("runs/studies")
    """Folder of the run folders; finished runs are skipped."""

    def __call__(self) -> Outcome:
        from ...training.config import Training

        require_paired_seeds(self.seeds)
        counts = self.processes
        if len(set(counts)) < max(2, len(counts)) or min(counts) < 1:
            given = " ".join(map(str, counts)) or "none"
            raise UsageError(
                f"--processes takes two or more different numbers above 0, not {given}."
            )
        training = Training.of(
            self.network,
            self.data,
            recipe=self.recipe_overrides(),
            base_recipe=self.recipe,
            train_images=self.train_images or None,
            image_size=self.image_size,
        )
        require_package("jax", "pip install 'cnn-keras[jax]'")
        from ...experiments.workspace import Workspace
        from .processes import processes

        document = processes(
            training,
            self.seeds,
            Workspace(self.runs, self.out, self.data_dir, remark=self.remark),
            counts=counts,
            tolerance=self.tolerance,
        )
        return record_outcome(document)
