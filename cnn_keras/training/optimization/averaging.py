"""Evaluate and save a network with the moving average of its weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from numpy.typing import NDArray

from ...data.augmentation.augment import Augmentation
from ...data.augmentation.mixing import Mixing
from ...data.loading.image_files import AnySplit
from ...data.pipeline import label_probabilities, mixed_batches, training_batches
from ...data.preprocessing import Preprocessing
from ..recipes import Recipe
from .optimizers import num_batches_seen

if TYPE_CHECKING:
    import tensorflow as tf

# Wu and Johnson, arXiv:2105.07576, section 3: 1,000 to 10,000 images give precise statistics.
_STATISTICS_IMAGES = 1024


def statistics_batches(
    train: AnySplit,
    preprocessing: Preprocessing,
    augmentation: Augmentation,
    recipe: Recipe,
    seed: int,
) -> tf.data.Dataset:
    """Return the batches from which the statistics of batch normalization are computed.

    Args:
        train: The training images, in the network's input size.
        preprocessing: The normalization.
        augmentation: How the training changes images. A network that learned from erased rectangles
            does not fit the statistics of images without them.
        recipe: Its batch size, and how it mixes images.
        seed: Seed of the training.

    Returns:
        Batches of images and labels: a stratified sample in random order, the same each time.
    """
    sample = train.sample(_STATISTICS_IMAGES)
    size = min(recipe.batch_size, len(sample.labels))
    batches = training_batches(
        sample, preprocessing, augmentation, batch_size=size, epochs=1, seed=seed
    )
    mixing = Mixing(recipe.mixup, recipe.cutmix)
    if not any(mixing):
        return batches
    batches = label_probabilities(batches, int(sample.labels.max()) + 1)
    return mixed_batches(batches, mixing, seed)


class WeightAverage(keras.callbacks.Callback):
    """The moving average of a network's weights, if its optimizer keeps one.

    As a callback, it lets `model.fit` validate with the average. The statistics of batch
    normalization are computed again for the average, because those of the weights themselves do not
    fit it.

    Args:
        network: A compiled model.
        batches: Images from which the statistics are computed, see `statistics_batches`.

    Reference:
        Izmailov et al., "Averaging weights leads to wider optima and better generalization",
        arXiv:1803.05407, section 3.2.
    """

    def __init__(self, network: keras.Model, batches: Iterable[Any]) -> None:
        super().__init__()
        self.network, self.batches, self.stack = network, batches, ExitStack()
        self._computed: tuple[int, list[NDArray[np.float64]]] | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the optimizer keeps an average."""
        optimizer = self.network.optimizer
        # In float16, it is the inner one of a `LossScaleOptimizer`.
        return bool(getattr(optimizer, "inner_optimizer", optimizer).use_ema)

    def apply(self) -> None:
        """Replace the weights by their average, and the statistics by those of the average."""
        if not self.is_kept:
            return
        self.network.optimizer.finalize_variable_values(self.network.trainable_variables)
        layers = [
            layer
            for layer in self.network.layers
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
        ]
        step = num_batches_seen(self.network.optimizer)
        if layers and (self._computed is None or self._computed[0] != step):
            self._computed = step, _statistics(self.network, layers, self.batches)
        if layers and self._computed:
            variables = (v for layer in layers for v in (layer.moving_mean, layer.moving_variance))
            for variable, value in zip(variables, self._computed[1], strict=True):
                variable.assign(value)

    @contextmanager
    def in_network(self) -> Iterator[None]:
        """Let the network have the average for a while; its weights are then restored exactly.

        `keras.callbacks.SwapEMAWeights` exchanges them by sums and differences on TensorFlow, which
        changes their last bits.
        """
        if not self.is_kept:
            yield
            return
        variables = self.network.variables
        before = [np.array(variable) for variable in variables]
        self.apply()
        try:
            yield
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)

    def on_test_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Put the average in place of the weights."""
        self.stack.enter_context(self.in_network())

    def on_test_end(self, logs: dict[str, Any] | None = None) -> None:
        """Restore the weights."""
        self.stack.close()


def _in_training(model: keras.Model) -> Callable[[NDArray[np.float32]], None]:
    """Return a function that runs a network as in training, which updates its statistics."""
    if keras.backend.backend() != "jax":
        return lambda images: model(images, training=True)
    import jax

    def run(images: NDArray[np.float32]) -> None:
        values = ([v.value for v in each] for each in (model.trainable_variables, others))
        for variable, value in zip(others, compiled(*values, images), strict=True):
            variable.assign(value)

    # The variables of a network on several hosts are not for single operations.
    compiled = jax.jit(
        lambda trainable, values, images: model.stateless_call(
            trainable, values, images, training=True
        )[1]
    )
    others = model.non_trainable_variables
    return run


def _statistics(
    model: keras.Model, layers: Sequence[keras.layers.BatchNormalization], batches: Iterable[Any]
) -> list[NDArray[np.float64]]:
    """Return mean and variance of the inputs of each batch normalization over all images.

    Args:
        model: The network; its statistics and the state of its dropout change.
        layers: The normalizations.
        batches: Images, normalized and in batches, and what may follow them.
    """
    for variable in model.variables:
        if variable.name == "seed_generator_state":  # the same dropout each time
            variable.assign([0, 0])
    momenta = [layer.momentum for layer in layers]
    counts, means, variances = [], [], []
    try:
        for layer in layers:
            layer.momentum = 0.0  # the moving statistics become those of the last batch
        run = _in_training(model)
        for images, *_ in batches:
            run(np.asarray(images))
            counts.append(len(images))
            means.append([np.array(layer.moving_mean, np.float64) for layer in layers])
            variances.append([np.array(layer.moving_variance, np.float64) for layer in layers])
    finally:
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum
    statistics = []
    for of_batches, within in zip(
        zip(*means, strict=True), zip(*variances, strict=True), strict=True
    ):
        mean = np.average(of_batches, axis=0, weights=counts)
        between = np.average((np.array(of_batches) - mean) ** 2, axis=0, weights=counts)
        statistics += [mean, np.average(within, axis=0, weights=counts) + between]
    return statistics
