"""A network that is trained in a subprocess, in turns with others.

The subprocess may be a Python that has torch but not this project's dependencies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from ...worker import Session, memory_mb


class Case(NamedTuple):
    """What is trained: a network, its images and the recipe.

    The images are random, and so are their labels, which does not change the speed.

    Attributes:
        network: Row of the zoo.
        image_size: Height and width.
        channels: 1 for gray, 3 for RGB.
        num_classes: Number of classes.
        batch_size: Images per step.
        shift: Largest random shift, as a fraction of the image's width and height.
        flip: Whether half of the images are mirrored.
        learning_rate: A constant rate, so low that the loss stays finite.
        momentum: Momentum of SGD.
        weight_decay: Coefficient of the L2 penalty.
        auxiliary_weight: Weight of the loss of each auxiliary classifier, if there are any.
    """

    network: str
    image_size: int
    channels: int
    num_classes: int
    batch_size: int
    shift: float
    flip: bool
    learning_rate: float
    momentum: float
    weight_decay: float
    auxiliary_weight: float

    @property
    def num_images(self) -> int:
        """Number of training images: eight batches."""
        return 8 * self.batch_size


MEAN, STD = 127.5, 64.0
"""The normalization of the images, in pixel values."""


class Trainer(Protocol):
    """A network in training.

    Attributes:
        num_parameters: Number of trainable parameters.
        version: Name and version of its library.
    """

    num_parameters: int
    version: tuple[str, str]

    def fit(self, steps: int) -> float:
        """Train for some steps as a user does; return the seconds."""

    def compute(self, steps: int) -> float:
        """Train on one repeated batch without any input pipeline; return the seconds."""

    def load(self, steps: int) -> float:
        """Load and augment the batches of some steps; return the seconds."""


def take_turns(start: Callable[[dict[str, Any]], Trainer]) -> Session:
    """Return the session of a subprocess that trains a network whenever it is asked to.

    It answers the first request, the arguments of `start`, with the number of parameters and the
    version. The others are pairs of a method's name and a number of steps, and it answers with the
    seconds and the peak memory in MiB so far.
    """

    def session(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
        trainer = start(next(requests))
        answer([trainer.num_parameters, trainer.version])
        for method, steps in requests:
            answer([getattr(trainer, method)(steps), memory_mb()[1]])

    return session
