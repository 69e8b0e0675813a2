"""Splitting of a trained network into modules that can be deleted or reordered.

Nothing is copied: the parts consist of the network's own layers and weights, and can be
differentiated as the network can.

A residual module without its branch keeps its shortcut and the layers after the addition. A deleted
layer of a network without shortcuts passes its input on. If the layer changes the shape, its input
takes shortcut A instead, as in the residual twin: every second row and column at stride 2, and
zeros for the added channels.

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

from ..blocks import Tensor
from ..command import progress
from ..data.loading.image_files import AnySplit
from ..data.pipeline import inference_batch_size
from ..data.preprocessing import Preprocessing
from ..errors import UsageError
from ..layer_names import row_of
from ..models.shortcuts import shortcut_to
from ..training.predict import uses_xla

Activations: TypeAlias = NDArray[np.float32]

Variant: TypeAlias = Sequence[keras.Model]
"""A variant of a network as a sequence of models, each applied to the output of the one before."""


@dataclass(frozen=True, eq=False)
class Module:
    """A module of a network, from `(batch, height, width, channels)` to the next one's input.

    Attributes:
        row: Its row in the paper, such as `conv3_1`, or the name of a plain layer.
        branch: The convolutions: F(x), before the addition.
        shortcut: The shortcut, or for a plain layer what replaces the layer if it is deleted.
        tail: The layers after the branch or the addition: the ReLU of a residual network, and
            poolings.
        residual: Whether the outputs of branch and shortcut are added.
    """

    row: str
    branch: keras.Model
    shortcut: keras.Model
    tail: keras.Model
    residual: bool

    def __call__(self, x: Any) -> Any:
        """Return `tail(branch(x) + shortcut(x))`, or for a plain layer `tail(branch(x))`."""
        y = self.branch(x)
        return self.tail(y + self.shortcut(x) if self.residual else y)

    @property
    def changes_shape(self) -> bool:
        """Whether the output of the branch has another shape than its input."""
        return self.branch.input_shape != self.branch.output_shape

    @cached_property
    def complete(self) -> keras.Model:
        """The module as one model."""
        x = keras.Input(self.branch.input_shape[1:])
        return _model(x, self(x))

    @cached_property
    def without_branch(self) -> keras.Model:
        """The module without its branch, `tail(shortcut(x))`, as one model."""
        x = keras.Input(self.branch.input_shape[1:])
        return _model(x, self.tail(self.shortcut(x)))


@dataclass(frozen=True, eq=False)
class ModularNetwork:
    """A network split into the layers before its modules, the modules, and the layers after them.

    Attributes:
        stem: From images `(batch, height, width, channels)` to the first module's input.
        modules: The modules in order.
        head: From the last module's output to the network's.
    """

    stem: keras.Model
    modules: tuple[Module, ...]
    head: keras.Model

    def __call__(self, x: Any) -> Any:
        """Return the network's output."""
        x = self.stem(x)
        for module in self.modules:
            x = module(x)
        return self.head(x)

    def without(self, deleted: Collection[int] = ()) -> Variant:
        """Return the network without the branches of the modules at the given indices."""
        modules = [
            module.without_branch if index in deleted else module.complete
            for index, module in enumerate(self.modules)
        ]
        return (self.stem, *modules, self.head)

    def reordered(self, order: Sequence[int]) -> Variant:
        """Return the network with its modules in another order.

        Args:
            order: Indices of the modules, in the new order.
        """
        return (self.stem, *(self.modules[index].complete for index in order), self.head)

    @property
    def interchangeable(self) -> list[list[int]]:
        """Indices of the modules that can replace each other, in groups of one shape.

        Layers before a pooling are left out, because the pooling would move with them.
        """
        groups: dict[tuple[int, ...], list[int]] = {}
        for index, module in enumerate(self.modules):
            shapes = {module.complete.input_shape, module.complete.output_shape}
            if len(shapes) == 1 and not module.changes_shape:
                groups.setdefault(shapes.pop(), []).append(index)
        return list(groups.values())


def variant_outputs(
    variants: Sequence[Variant], x: Activations
) -> Iterator[tuple[int, Activations]]:
    """Compute the outputs of several variants, and the models they begin with in common only once.

    Args:
        variants: Variants of a network, as from `ModularNetwork.without`.
        x: A batch for their first models.

    Yields:
        The index of a variant and its output, in any order.
    """

    def follow(
        x: Activations, indices: Sequence[int], depth: int
    ) -> Iterator[tuple[int, Activations]]:
        by_model: dict[keras.Model, list[int]] = {}
        for index in indices:
            if depth == len(variants[index]):
                yield index, x
            else:
                by_model.setdefault(variants[index][depth], []).append(index)
        for model, users in by_model.items():
            yield from follow(model.predict_on_batch(x), users, depth + 1)

    yield from follow(x, range(len(variants)), 0)


def error_rates(
    variants: Sequence[Variant], preprocessing: Preprocessing, split: AnySplit
) -> list[float]:
    """Return the share of images that each of several variants classifies wrongly.

    Args:
        variants: From images to class scores.
        preprocessing: The network's preprocessing.
        split: Images in the network's size.
    """
    # The activations of every depth are kept at once, so batches are half as large as usual; they
    # have one size, for which models are compiled once.
    count = -(-len(split.labels) // max(1, inference_batch_size(preprocessing) // 2))
    batches = np.array_split(np.arange(len(split.labels)), count)
    wrong = np.zeros(len(variants), np.int64)
    with progress("networks", len(variants) * count) as advance:
        for indices in batches:
            batch = split.take(indices)
            for index, scores in variant_outputs(variants, preprocessing(batch.read())):
                wrong[index] += (scores.argmax(axis=1) != batch.labels).sum()
                advance()
    return (wrong / len(split.labels)).tolist()


def split_into_modules(model: keras.Model) -> ModularNetwork:
    """Split a network into its residual modules or, if it has none, its rectified convolutions.

    Poolings between two modules belong to the first of them, dense layers to the head.

    Args:
        model: A network of the zoo, whose layers are named by row and role (see `blocks`).

    Raises:
        UsageError: The network is not a sequence of such modules, or a plain layer changes the
            shape to one that shortcut A does not give.

    Example:
        >>> from cnn_keras import build
        >>> network = split_into_modules(build("resnet20"))
        >>> [module.row for module in network.modules if module.changes_shape]
        ['conv3_1', 'conv4_1']
    """
    sums = [layer for layer in model.layers if isinstance(layer, layers.Add)]
    found = [_residual_module(model, add) for add in sums] if sums else list(_plain_layers(model))
    if not found:
        raise UsageError(f"{model.name} has no residual modules and no rectified convolutions.")
    starts = [tensors.start for tensors in found]
    try:
        modules = tuple(
            Module(
                tensors.row,
                _submodel(tensors.start, tensors.branch),
                _submodel(tensors.start, tensors.shortcut) if sums else _replacement(tensors),
                _submodel(tensors.sum, end),
                residual=bool(sums),
            )
            for tensors, end in zip(found, [*starts[1:], found[-1].end], strict=True)
        )
        return ModularNetwork(
            _submodel(model.input, starts[0]), modules, _submodel(found[-1].end, model.output)
        )
    except ValueError as error:  # Keras raises it for tensors that are not connected
        raise UsageError(f"{model.name} is not a sequence of modules: {error}") from error


class _ModuleTensors(NamedTuple):
    """The tensors of a module in the network's graph."""

    row: str
    start: Tensor
    branch: Tensor
    shortcut: Tensor  # for a plain layer the same as `branch`
    sum: Tensor  # of branch and shortcut; for a plain layer the same as `branch`
    end: Tensor


def _residual_module(model: keras.Model, add: keras.Layer) -> _ModuleTensors:
    """Return the tensors of the residual module of an addition, by the row in its layers' names."""
    row = row_of(add.name)
    own = [layer for layer in model.layers if row_of(layer.name) == row]
    branch, shortcut = add.input
    # Keras sorts layers by depth, and the branch is longer than the shortcut: it comes first.
    return _ModuleTensors(row, own[0].input, branch, shortcut, add.output, own[-1].output)


def _plain_layers(model: keras.Model) -> Iterator[_ModuleTensors]:
    """Yield the tensors of each convolution, from its padding to the next ReLU."""
    start = None
    for before, layer in pairwise(model.layers):
        if isinstance(layer, layers.Conv2D):
            is_padded = isinstance(before, layers.ZeroPadding2D) and before.output is layer.input
            row, start = layer.name, (before if is_padded else layer).input
        elif start is not None and isinstance(layer, layers.ReLU):
            y = layer.output
            yield _ModuleTensors(row, start, branch=y, shortcut=y, sum=y, end=y)
            start = None


def _replacement(tensors: _ModuleTensors) -> keras.Model:
    """Return what replaces a deleted plain layer: identity or, for another shape, shortcut A."""
    x, like = keras.Input(tensors.start.shape[1:]), tensors.branch
    y = shortcut_to(x, like, "A", f"{tensors.row}_shortcut")
    if y.shape != like.shape or x.shape[-1] > like.shape[-1]:
        raise UsageError(
            f"{tensors.row} cannot be replaced by shortcut A, from {x.shape[1:]} to "
            f"{like.shape[1:]}."
        )
    return _submodel(x, y)


def _submodel(start: Tensor, end: Tensor) -> keras.Model:
    """Return the part of a network between two of its tensors."""
    if start is end:
        x = keras.Input(start.shape[1:])
        return _model(x, layers.Identity()(x))
    return _model(start, end)


def _model(start: Tensor, end: Tensor) -> keras.Model:
    model = keras.Model(start, end)
    model.jit_compile = uses_xla()
    return model
