"""A trained network as a chain of modules, any of which can be left out or change places.

Cutting copies nothing: the pieces are made of the network's own layers and weights, and can be
differentiated as the network can.

A residual module without its branch keeps the way around it, and the rectification that follows. A
layer of a network without shortcuts is put out of action by passing on what it gets; where it
changes the shape, by what its residual twin has in its place, shortcut A: every second row and
column where it strides, and zeros for the channels that it adds.

Reference:
    Veit, Wilber, Belongie, "Residual networks behave like ensembles of relatively shallow
    networks", arXiv:1605.06431, Fig. 2. He, Zhang, Ren, Sun, "Deep residual learning for image
    recognition", arXiv:1512.03385, Fig. 2.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, NamedTuple, TypeAlias

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from ..blocks import Tensor, shortcut_to
from ..command import progress
from ..data.pipeline import inference_batch_size
from ..data.preprocessing import Preprocessing
from ..data.splits import Split
from ..errors import UsageError
from ..layer_names import row_of
from ..training.predict import uses_xla

Activations: TypeAlias = NDArray[np.float32]

Plan: TypeAlias = Sequence[keras.Model]
"""Pieces, each of which takes what the one before puts out; compared by identity."""


@dataclass(frozen=True, eq=False)
class Module:
    """One module of a chain, from `(batch, height, width, channels)` to the next one's input.

    Attributes:
        row: Its row in the paper, such as `conv3_1`; of a plain layer its name.
        branch: The convolutions: F(x), before the addition.
        shortcut: The way around them. A plain layer has none: it is what takes its place.
        join: What follows, up to the next module: rectification in a residual network, and
            poolings.
        residual: Whether branch and shortcut are added.
    """

    row: str
    branch: keras.Model
    shortcut: keras.Model
    join: keras.Model
    residual: bool

    def __call__(self, x: Any) -> Any:
        """Return `join(branch(x) + shortcut(x))`, or of a plain layer `join(branch(x))`."""
        y = self.branch(x)
        return self.join(y + self.shortcut(x) if self.residual else y)

    @property
    def changes_shape(self) -> bool:
        """Whether the branch puts out another shape than it gets, as a down-sampling one does."""
        return self.branch.input_shape != self.branch.output_shape

    @cached_property
    def whole(self) -> keras.Model:
        """The module as one model."""
        x = keras.Input(self.branch.input_shape[1:])
        return _piece(x, self(x))

    @cached_property
    def deleted(self) -> keras.Model:
        """What is left of the module without its branch, `join(shortcut(x))`, as one model."""
        x = keras.Input(self.branch.input_shape[1:])
        return _piece(x, self.join(self.shortcut(x)))


@dataclass(frozen=True, eq=False)
class Chain:
    """A network, cut into what goes before its modules, these, and what comes after them.

    Attributes:
        before: From images `(batch, height, width, channels)` to the first module's input.
        modules: In order.
        after: From the last module's output to the network's.
    """

    before: keras.Model
    modules: tuple[Module, ...]
    after: keras.Model

    def __call__(self, x: Any) -> Any:
        """Return the network's output."""
        x = self.before(x)
        for module in self.modules:
            x = module(x)
        return self.after(x)

    def without(self, deleted: Collection[int] = ()) -> Plan:
        """Return the plan of the network without the modules at these places."""
        steps = [
            module.deleted if place in deleted else module.whole
            for place, module in enumerate(self.modules)
        ]
        return (self.before, *steps, self.after)

    def reordered(self, order: Sequence[int]) -> Plan:
        """Return the plan of the network with its modules in another order.

        Args:
            order: The place that each module is taken from.
        """
        return (self.before, *(self.modules[place].whole for place in order), self.after)

    @property
    def exchangeable(self) -> list[list[int]]:
        """Places of modules of one shape that keep it, by shape: any of them fits in all of them.

        Poolings would move along with the layers they follow, so that such layers are left out.
        """
        groups: dict[tuple[int, ...], list[int]] = {}
        for place, module in enumerate(self.modules):
            shapes = {module.whole.input_shape, module.whole.output_shape}
            if len(shapes) == 1 and not module.changes_shape:
                groups.setdefault(shapes.pop(), []).append(place)
        return list(groups.values())


def outputs(plans: Sequence[Plan], x: Activations) -> Iterator[tuple[int, Activations]]:
    """Follow several plans, computing once what they begin with alike.

    Args:
        plans: See `Chain.without`.
        x: Input of their first pieces, one batch.

    Yields:
        The place of a plan and what its last piece puts out, in no particular order.
    """

    def follow(x: Activations, places: Sequence[int], at: int) -> Iterator[tuple[int, Activations]]:
        ways: dict[keras.Model, list[int]] = {}
        for place in places:
            if at == len(plans[place]):
                yield place, x
            else:
                ways.setdefault(plans[place][at], []).append(place)
        for piece, followers in ways.items():
            yield from follow(piece.predict_on_batch(x), followers, at + 1)

    yield from follow(x, range(len(plans)), 0)


def errors(plans: Sequence[Plan], preprocessing: Preprocessing, split: Split) -> list[float]:
    """Return the share of images that each of several networks gets wrong.

    Args:
        plans: From images to class scores.
        preprocessing: The network's.
        split: Images in the network's size.
    """
    # As many activations wait as there are pieces. Batches of one size are compiled for once.
    count = -(-len(split.labels) // max(1, inference_batch_size(preprocessing) // 2))
    parts = np.array_split(np.arange(len(split.labels)), count)
    wrong = np.zeros(len(plans), np.int64)
    with progress("networks", len(plans) * count) as advance:
        for part in map(split.take, parts):
            for place, scores in outputs(plans, preprocessing(part.images)):
                wrong[place] += (scores.argmax(axis=1) != part.labels).sum()
                advance()
    return (wrong / len(split.labels)).tolist()


def cut(model: keras.Model) -> Chain:
    """Cut a network into its residual modules or, if it has none, its rectified convolutions.

    Poolings between two modules go with the first of them, dense layers come after the modules.

    Args:
        model: Of a family of the zoo, whose layers are named by row and role (see `blocks`).

    Raises:
        UsageError: The network is no chain of such modules, or a plain layer changes the shape to
            one that shortcut A does not lead to.

    Example:
        >>> from cnn_keras import build
        >>> [module.row for module in cut(build("resnet20")).modules if module.changes_shape]
        ['conv3_1', 'conv4_1']
    """
    sums = [layer for layer in model.layers if isinstance(layer, layers.Add)]
    links = [_module(model, add) for add in sums] if sums else list(_convolutions(model))
    if not links:
        raise UsageError(f"{model.name} has no residual modules and no rectified convolutions.")
    starts = [link.start for link in links]
    try:
        modules = tuple(
            Module(
                link.row,
                _between(link.start, link.branch),
                _between(link.start, link.shortcut) if sums else _stand_in(link),
                _between(link.join, end),
                residual=bool(sums),
            )
            for link, end in zip(links, [*starts[1:], links[-1].end], strict=True)
        )
        return Chain(
            _between(model.input, starts[0]), modules, _between(links[-1].end, model.output)
        )
    except ValueError as error:  # Keras', of tensors that do not lead to each other
        raise UsageError(f"{model.name} is no chain of modules: {error}") from error


class _Link(NamedTuple):
    """A module's tensors in the network's graph."""

    row: str
    start: Tensor
    branch: Tensor
    shortcut: Tensor  # of a plain layer the branch again
    join: Tensor  # what branch and shortcut come together in
    end: Tensor


def _module(model: keras.Model, add: keras.Layer) -> _Link:
    """Find a residual module by its row, as the names of its layers have it."""
    row = row_of(add.name)
    own = [layer for layer in model.layers if row_of(layer.name) == row]
    branch, shortcut = add.input
    # The branch is longer than the way around it, so it is where the module begins.
    return _Link(row, own[0].input, branch, shortcut, add.output, own[-1].output)


def _convolutions(model: keras.Model) -> Iterator[_Link]:
    """Find each convolution, from its padding to the rectification that comes next."""
    start = None
    for before, layer in pairwise(model.layers):
        if isinstance(layer, layers.Conv2D):
            is_padded = isinstance(before, layers.ZeroPadding2D) and before.output is layer.input
            row, start = layer.name, (before if is_padded else layer).input
        elif start is not None and isinstance(layer, layers.ReLU):
            yield _Link(row, start, layer.output, layer.output, layer.output, layer.output)
            start = None


def _stand_in(link: _Link) -> keras.Model:
    """Return what takes a plain layer's place: identity or, for another shape, shortcut A."""
    x, like = keras.Input(link.start.shape[1:]), link.branch
    y = shortcut_to(x, like, "A", f"{link.row}_shortcut")
    if y.shape != like.shape or x.shape[-1] > like.shape[-1]:
        raise UsageError(
            f"No shortcut A leads around {link.row}, from {x.shape[1:]} to {like.shape[1:]}."
        )
    return _between(x, y)


def _between(start: Tensor, end: Tensor) -> keras.Model:
    """Return the part of a network that leads from one of its tensors to another."""
    if start is end:
        x = keras.Input(start.shape[1:])
        return _piece(x, layers.Identity()(x))
    return _piece(start, end)


def _piece(start: Tensor, end: Tensor) -> keras.Model:
    model = keras.Model(start, end)
    model.jit_compile = uses_xla()
    return model
