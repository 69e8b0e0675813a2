"""Options that several studies share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import zoo
from ..command import Command
from ..errors import UsageError
from ..experiments.executors.options import ExecutorOptions
from ..options import BaseRecipeOption, RecipeOptions, RecordFolderOption, TrainingDataOptions
from ..trained.table import is_name

if TYPE_CHECKING:
    from ..experiments.workspace import Workspace
    from ..training.config import Training


@dataclass(frozen=True, kw_only=True)
class StudyCommand(RecordFolderOption, Command):
    """A command that writes a record."""


@dataclass(frozen=True, kw_only=True)
class RunsOption(ExecutorOptions):
    """Where a study trains its networks."""

    runs: Path = Path("runs")
    """Folder of the run folders; finished runs are skipped."""


@dataclass(frozen=True, kw_only=True)
class RemarkOption:
    """What a record says beside its numbers."""

    remark: str | None = None
    """A sentence about the images or the trainings, which the record shows."""


@dataclass(frozen=True, kw_only=True)
class NetworkStudyCommand(
    RecipeOptions, TrainingDataOptions, RunsOption, RemarkOption, StudyCommand
):
    """A study that trains networks."""

    def workspace(self) -> Workspace:
        """Return where the study trains networks and writes its record.

        Raises:
            UsageError: An option of the executor has a wrong value.
            Error: A cluster cannot be reached.
        """
        from ..experiments.workspace import Workspace

        return Workspace(self.runs, self.out, self.data_dir, self.executor(), self.remark)


@dataclass(frozen=True, kw_only=True)
class TrainingStudyCommand(BaseRecipeOption, NetworkStudyCommand):
    """A study of trained networks; its defaults let all studies share their runs.

    The defaults suit a CPU: small images, small batches for more steps, and a learning rate that is
    scaled with the batch size. For the budget of the papers (all images in full size, and the
    number of epochs of the paper's recipe), give --train-images 0 --image-size 0 --epochs 0
    --batch-size 128 --learning-rate 0.1. Values that a TOML file of --recipe names replace these
    defaults.
    """

    data: str = "fashion_mnist"
    """Data set, as `train` names it."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Train each network once for each seed."""
    train_images: int | None = 10_000
    """Train on this many images, a seeded stratified sample; 0 for all."""
    image_size: int | None = 16
    """Side of the images; larger for a network that needs it; 0 for the data set's."""
    epochs: int | None = 16
    """Passes over the training images; the schedule is stretched to them; 0 for the paper's
    number."""
    batch_size: int | None = 32
    """Images per step."""
    learning_rate: float | None = 0.025
    """Learning rate before the first milestone; the paper's is 0.1 for 128 images."""
    runs: Path = Path("runs/studies")
    """Folder of the run folders; finished runs are skipped, also those of other studies."""

    def training(self, network: str, **settings: Any) -> Training:
        """Return the training of a network of the zoo within the study's budget.

        Args:
            network: Row of the zoo.
            settings: Further arguments of `Training.of`; ``recipe`` overrides the options.

        Raises:
            UsageError: An option has a wrong value.
        """
        from ..training.config import Training
        from ..training.recipe_file import named_values

        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            given = " ".join(map(str, self.seeds)) or "none"
            raise UsageError(f"--seeds takes different numbers of at least 0, not {given}.")
        named = named_values(self.recipe)
        recipe = {
            key: value
            for key, value in self.recipe_overrides().items()
            if key not in named or value != getattr(type(self), key)  # the study's own default
        }
        recipe |= settings.pop("recipe", {})
        return Training.of(
            network,
            self.data,
            recipe={key: value for key, value in recipe.items() if (key, value) != ("epochs", 0)},
            base_recipe=self.recipe,
            train_images=self.train_images or None,
            image_size=image_side(self.image_size, network),
            **settings,
        )

    def training_and_seeds(self, network: str) -> tuple[Training, Sequence[int]]:
        """Return the training of a network, or of a trained network of the package, and its seeds.

        Args:
            network: Row of the zoo, or NETWORK:DATA.

        Raises:
            UsageError: The network is unknown, or an option has a wrong value.
        """
        if not is_name(network):
            return self.training(network), self.seeds
        from ..experiments.training_runs import TrainedBefore

        trained = TrainedBefore.find(network)
        return trained, (trained.seed,)

    def plain_and_residual(self, depths: Sequence[int]) -> tuple[list[Training], list[Training]]:
        """Return the trainings of the plain and of the residual networks of these depths."""
        plain, residual = (
            [self.training(f"{form}{depth}") for depth in depths] for form in ("plain", "resnet")
        )
        return plain, residual


def image_side(image_size: int | None, network: str) -> int | None:
    """Return the side of a network's images, raised to the smallest that the network takes.

    Args:
        image_size: Value of the option; None and 0 stand for the data set's size.
        network: Row of the zoo.

    Returns:
        The side, or None for the data set's size.

    Example:
        >>> image_side(16, "resnet20"), image_side(16, "lenet5"), image_side(0, "lenet5")
        (16, 32, None)
    """
    return max(image_size, zoo.network(network).min_image_size) if image_size else None
