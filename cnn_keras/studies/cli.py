"""The studies' commands: what each is asked, and the training that several of them share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from .. import zoo
from ..command import Outcome, start_keras
from ..errors import UsageError
from ..options import NetworkName, RecipeOptions, parse_options

if TYPE_CHECKING:
    from ..training.config import Training


@dataclass(frozen=True, kw_only=True)
class StudyTrainings(RecipeOptions):
    """What studies of trained networks train, alike in all of them so that they share the runs.

    The defaults suit a processor: small images, and small batches, for more steps, at a rate that
    is as much smaller. The papers' budget: --train-images 0 --image-size 0 --epochs 0
    --batch-size 128 --learning-rate 0.1, that is all images in their own size, and as many passes
    as the paper's recipe has.
    """

    data: str = "fashion_mnist"
    """Data set, as `train` names it."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """One training of each network for each."""
    train_images: int | None = 10_000
    """Train on this many images, seeded and stratified; 0 for all."""
    image_size: int | None = 16
    """Side of the images, or more where a network needs it; 0 for the data set's."""
    epochs: int | None = 16
    """Passes over them, to which the schedule is stretched; 0 for the paper's number."""
    batch_size: int | None = 32
    """Images a step."""
    learning_rate: float | None = 0.025
    """Rate before the first milestone: the paper's 0.1 for 128 images."""
    runs: Path = Path("runs/studies")
    """Folder of the run folders; finished runs are skipped, also those of other studies."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def training(self, network: str, **others: Any) -> Training:
        """Return the training of a network of the zoo within the study's budget.

        Args:
            network: Row of the zoo.
            others: See `Training`; ``recipe`` goes before the options.

        Raises:
            UsageError: A value that no training can have.
        """
        from ..training.config import Training

        if not self.seeds or len(set(self.seeds)) < len(self.seeds) or min(self.seeds) < 0:
            raise UsageError(f"Seeds are different numbers from 0 on, unlike {list(self.seeds)}.")
        recipe = self.recipe_overrides() | others.pop("recipe", {})
        return Training.of(
            network,
            self.data,
            recipe={key: value for key, value in recipe.items() if (key, value) != ("epochs", 0)},
            train_images=self.train_images or None,
            image_size=side(self.image_size, network),
            **others,
        )

    def twins(self, depths: Sequence[int]) -> tuple[list[Training], list[Training]]:
        """Return the trainings of the plain and of the residual networks of these depths."""
        plain, residual = (
            [self.training(f"{form}{depth}") for depth in depths] for form in ("plain", "resnet")
        )
        return plain, residual


@dataclass(frozen=True)
class Accuracy(RecipeOptions):
    """Train a network with several seeds and record its test accuracy.

    Finished runs are skipped, so that the command resumes.
    """

    name: tyro.conf.Positional[NetworkName]
    """Network, as `list` names it."""
    data: str
    """Data set, as `train` names it."""
    at_least: float
    """Accuracy claimed, between 0 and 1."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """One run each."""
    train_images: int | None = None
    """Train on this many images, seeded and stratified."""
    image_size: int | None = None
    """Side of the network's input; the data set's by default."""
    options: tuple[str, ...] = ()
    """The family's own choices, as `train` takes them."""
    max_seconds: float | None = None
    """Also claim that no training takes longer."""
    runs: Path = Path("runs")
    """Folder of the run folders."""
    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    data_dir: Path | None = None
    """Folder in which the data set is looked for first."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from ..training.config import Training
        from .accuracy import accuracy

        training = Training.of(
            self.name,
            self.data,
            recipe=self.recipe_overrides(),
            train_images=self.train_images,
            image_size=self.image_size,
            options=parse_options(self.options),
        )
        start_keras()
        document = accuracy(
            training,
            self.seeds,
            self.at_least,
            self.runs,
            self.out,
            max_seconds=self.max_seconds,
            data_dir=self.data_dir,
        )
        return recorded(document)


@dataclass(frozen=True)
class DepthStudy:
    """Record the revolution of depth, and what Inception modules cost, naive and reduced."""

    out: Path = Path("docs/results")
    """Folder of the record and its figure."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        start_keras()
        from .depth import depth, tables

        document = depth(self.out)
        return Outcome(document, tables(document))


@dataclass(frozen=True, kw_only=True)
class DegradationStudy(StudyTrainings):
    """Record what depth does to plain networks and to their residual twins: errors and gradients.

    He et al., arXiv:1512.03385, Fig. 1 and Fig. 6.
    """

    depths: tuple[int, ...] = (20, 56)
    """Layers of the networks, the shallowest first; two or more."""

    def __call__(self) -> Outcome:
        require_rising(depths=self.depths)
        plain, residual = self.twins(self.depths)
        start_keras()
        from .degradation import degradation

        document = degradation(plain, residual, self.seeds, self.runs, self.out, self.data_dir)
        return recorded(document)


@dataclass(frozen=True, kw_only=True)
class EnsembleStudy(StudyTrainings):
    """Average the answers of independent networks, and compare with one residual network.

    Error by the number of members, over all ensembles of a size; and the ensemble of all as a run
    folder, which `evaluate`, `predict` and `export` take.
    """

    network: str = "resnet20"
    """Network of the members, as `list` names it."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """One member each."""
    against: str | None = "resnet56"
    """Network to compare with; None for none."""
    rivals: int = 3
    """Train it with so many of the seeds, the first ones."""
    save: Path | None = None
    """Run folder of the ensemble; by default NETWORK_ensemble_DATA in the folder of the runs."""

    @property
    def folder(self) -> Path:
        """Where the ensemble is written."""
        from ..experiments.training_runs import name

        return self.save or self.runs / name(self.training(self.network), "ensemble")

    def __call__(self) -> Outcome:
        return recorded(self.record())

    def record(self) -> dict[str, Any]:
        """Make the study and return its record."""
        from ..training.ensemble import require_replaceable

        training = self.training(self.network)
        if len(self.seeds) < 2:
            raise UsageError(f"An ensemble needs two --seeds or more, not {self.seeds[0]} alone.")
        require_at_least(1, rivals=self.rivals)
        against = self.training(self.against) if self.against else None
        require_replaceable(self.folder)
        start_keras()
        from .ensemble import ensemble

        return ensemble(
            training,
            self.seeds,
            against,
            self.seeds[: self.rivals],
            self.runs,
            self.out,
            self.folder,
            self.data_dir,
        )


@dataclass(frozen=True, kw_only=True)
class IdentityStudy(StudyTrainings):
    """Let stacks of plain and of residual modules learn the identity, and look into networks.

    The stacks learn to put out the maps that the last module of the shallowest residual network
    gets. Of the networks: how much their layers put out, and their modules change.
    """

    depths: tuple[int, ...] = (20, 56)
    """Layers of the networks, plain and residual, the shallowest first; two or more."""
    layers: tuple[int, ...] = (2, 4, 8, 16)
    """Layers of the stacks, two a module, the fewest first; two or more."""
    steps: int = 256
    """Steps of a stack's training, in sixteens."""

    def __call__(self) -> Outcome:
        require_rising(depths=self.depths, layers=self.layers)
        if self.layers[0] < 2 or any(count % 2 for count in self.layers):
            raise UsageError(f"Stacks have 2, 4, 6, ... --layers, not {list(self.layers)}.")
        if self.steps < 16 or self.steps % 16:
            raise UsageError(f"A stack's --steps are 16, 32, 48, ..., not {self.steps}.")
        plain, residual = self.twins(self.depths)
        start_keras()
        from .identity import identity

        document = identity(
            plain,
            residual,
            self.seeds,
            self.runs,
            self.out,
            layers=self.layers,
            steps=self.steps,
            data_dir=self.data_dir,
        )
        return recorded(document)


@dataclass(frozen=True, kw_only=True)
class LesionStudy(StudyTrainings):
    """Delete modules of trained networks, one by one and several at random, and record the error.

    Residual networks beside their plain twins, and a VGG. Trainings and findings are kept, so that
    the command resumes.
    """

    networks: tuple[str, ...] = ("resnet56", "plain56", "vgg11")
    """Networks of the residual families, plain ones, and VGGs."""
    test_images: int = 2_000
    """Judge by this many test images, seeded and stratified; 0 for all."""
    count: int = 10
    """Delete up to this many modules of a residual network together."""
    draws: int = 20
    """Random orders in which they go, one after the other."""
    vgg_epochs: int = 4
    """Passes of a VGG, of which the first seed alone is trained; 0 for the paper's number."""
    vgg_batch_size: int = 64
    """Images a step of a VGG."""
    vgg_learning_rate: float = 0.015
    """Rate of a VGG, which is trained with batch normalization."""

    def __call__(self) -> Outcome:
        require_each_once(networks=self.networks)
        require_at_least(1, count=self.count, draws=self.draws)
        require_at_least(0, test_images=self.test_images, vgg_epochs=self.vgg_epochs)
        trainings = [self._training(network) for network in self.networks]
        start_keras()
        from .lesion import lesion

        document = lesion(
            trainings,
            self.runs,
            self.out,
            test_images=self.test_images or None,
            count=self.count,
            draws=self.draws,
            data_dir=self.data_dir,
        )
        return recorded(document)

    def _training(self, network: str) -> tuple[Training, Sequence[int]]:
        require_modules(network, "cifar_resnet", "resnet", "vgg")
        if not network.startswith("vgg"):
            return self.training(network), self.seeds
        recipe = {
            "epochs": self.vgg_epochs,
            "batch_size": self.vgg_batch_size,
            "learning_rate": self.vgg_learning_rate,
        }
        options = {"batch_normalization": True}
        return self.training(network, recipe=recipe, options=options), self.seeds[:1]


@dataclass(frozen=True, kw_only=True)
class ShuffleStudy(StudyTrainings):
    """Exchange modules of a trained residual network, and record the error by Kendall's tau.

    Trainings and findings are kept, so that the command resumes.
    """

    network: str = "resnet56"
    """Network of the residual families, as `list` names it."""
    test_images: int = 500
    """Judge by this many test images, seeded and stratified; 0 for all. Orders differ by more than
    images do, hence few images and many orders."""
    count: int = 10
    """Exchange so many pairs of modules, one after the other."""
    draws: int = 60
    """How often to begin anew."""

    def __call__(self) -> Outcome:
        require_at_least(1, count=self.count, draws=self.draws)
        require_at_least(0, test_images=self.test_images)
        require_modules(self.network, "cifar_resnet", "resnet")
        training = self.training(self.network)
        start_keras()
        from .shuffle import shuffle

        document = shuffle(
            training,
            self.seeds,
            self.runs,
            self.out,
            test_images=self.test_images or None,
            count=self.count,
            draws=self.draws,
            data_dir=self.data_dir,
        )
        return recorded(document)


@dataclass(frozen=True, kw_only=True)
class PathsStudy(StudyTrainings):
    """Count the paths through a residual network, and measure the gradient along some of them.

    Veit et al., arXiv:1605.06431, Fig. 6. Trainings and findings are kept, so that the command
    resumes.
    """

    network: str = "resnet56"
    """A network with shortcuts, as `list` names it."""
    images: int = 256
    """Training images to measure with, each along one path of every length."""
    control: str | None = "resnet20"
    """Network for 32×32 images that is also trained with the effective paths alone; None for none.
    """

    def __call__(self) -> Outcome:
        require_at_least(2, images=self.images)
        training = self.training(self.network)
        require_shortcuts(self.network, "cifar_resnet", "resnet")
        control = None
        if self.control:
            control = self.training(self.control)
            require_shortcuts(self.control, "cifar_resnet")
        start_keras()
        from .paths import paths

        document = paths(
            training,
            self.seeds,
            self.images,
            self.runs,
            self.out,
            self.data_dir,
            control=control,
        )
        return recorded(document)


def side(image_size: int | None, network: str) -> int | None:
    """Return the side of a network's images: no less than it takes; None for the data set's.

    Args:
        image_size: Asked for; None and 0 for the data set's.
        network: Row of the zoo.

    Example:
        >>> side(16, "resnet20"), side(16, "lenet5"), side(0, "lenet5")
        (16, 32, None)
    """
    return max(image_size, zoo.network(network).min_image_size) if image_size else None


def recorded(document: dict[str, Any]) -> Outcome:
    """Return a study's record and the table of its claims; exit code 1 where a run failed."""
    from rich.console import Group
    from rich.text import Text

    from ..experiments.record import claims_table

    failed = document.get("failed", [])
    lines = [Text(f"{row['run']} failed: {row['reason']}") for row in failed]
    return Outcome(document, Group(claims_table(document), *lines), exit_code=1 if failed else 0)


def require_each_once(**options: Sequence[Any]) -> None:
    """Refuse an option that takes several values and got none, or one twice.

    Raises:
        UsageError: One of them did.
    """
    for option, values in options.items():
        if not values or len(set(values)) < len(values):
            given = " ".join(map(str, values)) or "none"
            raise UsageError(f"--{option} takes one value or more, each once, not {given}.")


def require_rising(**options: Sequence[int]) -> None:
    """Refuse an option that takes several numbers and got one, or in another order.

    Raises:
        UsageError: One of them did.
    """
    for option, values in options.items():
        if len(values) < 2 or list(values) != sorted(set(values)):
            given = " ".join(map(str, values)) or "none"
            raise UsageError(f"--{option} takes two numbers or more that rise, not {given}.")


def require_at_least(minimum: int, **options: int) -> None:
    """Refuse a number that is too small.

    Raises:
        UsageError: One of them is.
    """
    for option, value in options.items():
        if value < minimum:
            name = option.replace("_", "-")
            raise UsageError(f"--{name} is {minimum} or more, not {value}.")


def require_modules(network: str, *families: str) -> None:
    """Refuse a network of another family.

    Raises:
        UsageError: It is of none of these, or not in the zoo.
    """
    family = zoo.network(network).builder.partition(":")[0]
    if family not in families:
        known = [name for name, row in zoo.ZOO.items() if row.builder.partition(":")[0] in families]
        raise UsageError(f"{network} has no modules: choose from {', '.join(known)}.")


def require_shortcuts(network: str, *families: str) -> None:
    """Refuse a network of another family, and a plain one.

    Raises:
        UsageError: It is one of these.
    """
    known = [
        name
        for name, row in zoo.ZOO.items()
        if row.builder.partition(":")[0] in families and row.options["shortcut"] != "none"
    ]
    if network not in known:
        raise UsageError(f"{network} cannot be taken here: choose from {', '.join(known)}.")


STUDIES: dict[str, type] = {
    "accuracy": Accuracy,
    "degradation": DegradationStudy,
    "depth": DepthStudy,
    "ensemble": EnsembleStudy,
    "identity": IdentityStudy,
    "lesion": LesionStudy,
    "paths": PathsStudy,
    "shuffle": ShuffleStudy,
}
