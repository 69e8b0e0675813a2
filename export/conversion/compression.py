"""Training that prepares a network for a small file: aware of 8 bits, pruned, clustered.

TensorFlow's model optimization toolkit wraps the layers of a copy in tf_keras, which is trained
further on the run's own data; its weights then go back into the Keras 3 model. So every file is
converted, quantized, verified and audited in the same way.

Reference:
    Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", arXiv:1712.05877, section 3.
    Zhu, Gupta, "To prune, or not to prune", arXiv:1710.01878, section 3.
    Han, Mao, Dally, "Deep compression", arXiv:1510.00149, section 3.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import tf_keras

from cnn_keras.data.augmentation import Augmentation
from cnn_keras.data.pipeline import training_batches
from cnn_keras.data.preprocessing import Float32Images, Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import UsageError, reason_of
from cnn_keras.training.classifier_head import gives_probabilities
from cnn_keras.training.evaluate import scores
from cnn_keras.training.predict import predict
from cnn_keras.training.recipes import Recipe
from cnn_keras.training.schedule import keras_weight_decay

from ..recipes import Technique
from .tf_keras_twin import Stateless, prove_equal, twin

if TYPE_CHECKING:
    import keras

Layer: TypeAlias = tf_keras.layers.Layer
Weights: TypeAlias = dict[str, list[Any]]  # by layer

SPARSITY = 0.75
CLUSTERS = 16

# What part of the recipe's rate each training has. A trained network only has to give way to
# rounding; where three weights of four are lost, the others have to take over.
RATES: dict[Technique, float] = {"aware": 0.01, "pruned": 0.1, "pruned_2_4": 0.1, "clustered": 0.01}

_EQUALITY_IMAGES = 8


class Tuning(NamedTuple):
    """What a network goes on training with.

    Attributes:
        train: Its training images, in the network's size, and labels.
        preprocessing: Applied after the distortions.
        recipe: Its own; each step takes a part of its rate (`RATES`).
        flip: Whether images are mirrored.
        seed: Of order and distortions.
        epochs: Passes over the images, for each step.
        validation: Held-out images and labels, which tell the best epoch; without them it is the
            last.
    """

    train: Split
    preprocessing: Preprocessing
    recipe: Recipe
    flip: bool
    seed: int
    epochs: int
    validation: Split | None = None

    @property
    def num_steps(self) -> int:
        """Steps of one training."""
        return self.epochs * (len(self.train.labels) // self.recipe.batch_size)


def tune(
    model: keras.Model,
    step: Technique,
    tuning: Tuning,
    advance: Callable[[], None] = lambda: None,
    before: Sequence[Technique] = (),
) -> keras.Model:
    """Train a network on for its file.

    Args:
        model: The trained network; it stays as it is.
        step: What it is trained for.
        tuning: Data and recipe.
        advance: Called after every step of gradient descent.
        before: Trainings that it has gone through; ``"aware"`` keeps their zeros and clusters.

    Returns:
        A copy with the new weights, of the epoch that was best on the validation images. Aware ones
        are those that the layers compute with: rounded to the 255 levels of their channel's range.

    Raises:
        UsageError: The model has no twin in tf_keras, or the toolkit cannot take it.
        Error: The twin is not equal.
    """
    import keras

    tuned = keras.models.clone_model(model)
    tuned.set_weights(model.get_weights())
    rebuilt = twin(tuned)
    images = tuning.preprocessing(tuning.train.sample(_EQUALITY_IMAGES).images)
    prove_equal(model, rebuilt.model, images)
    fit = _Fit(tuning, RATES[step], advance, not gives_probabilities(model), images)
    try:
        found = _STEPS[step](_copy(rebuilt.model), fit, before)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"'{model.name}' cannot be {step}: {reason_of(error)}", details=str(error)
        ) from error
    for original, layer in rebuilt.layers:
        if layer.weights:
            original.set_weights(found[layer.name])
    return tuned


def _copy(model: tf_keras.Model) -> tf_keras.Model:
    """Return layers and weights of its own, for the toolkit replaces weights of what it wraps."""
    copy = tf_keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    return copy


class _Fit:
    """Trains by a part of the recipe's rate, whatever the layers are wrapped in."""

    def __init__(
        self,
        tuning: Tuning,
        rate: float,
        advance: Callable[[], None],
        from_logits: bool,
        images: Float32Images,
    ) -> None:
        self.tuning, self.rate, self.advance = tuning, rate, advance
        self.from_logits, self.images = from_logits, images

    def __call__(
        self, model: tf_keras.Model, callbacks: Sequence[Any] = (), ready: int = 1
    ) -> None:
        """Train, and leave the weights of the best epoch.

        Args:
            model: Trained in place.
            callbacks: Called before the others.
            ready: Steps after which the network is what it is trained for.
        """
        tuning, recipe = self.tuning, replace(self.tuning.recipe, epochs=self.tuning.epochs)
        batches = training_batches(
            tuning.train,
            tuning.preprocessing,
            Augmentation(recipe.shift, recipe.rotation, tuning.flip),
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            seed=tuning.seed,
        )
        model.compile(
            tf_keras.optimizers.SGD(
                self.rate * recipe.learning_rate,
                recipe.momentum,
                weight_decay=keras_weight_decay(recipe.weight_decay, recipe.momentum),
            ),
            tf_keras.losses.SparseCategoricalCrossentropy(self.from_logits),
        )
        best = [Best(tuning, tuning.validation, ready)] if tuning.validation else []
        progress = tf_keras.callbacks.LambdaCallback(on_batch_end=lambda *_, **__: self.advance())
        model.fit(
            batches,
            epochs=tuning.epochs,
            steps_per_epoch=tuning.num_steps // tuning.epochs,
            callbacks=[*callbacks, progress, *best],
            shuffle=False,  # the batches are in their order already
            verbose=0,
        )


class Best(tf_keras.callbacks.Callback):
    """Keeps the weights that get most validation images right, of those with the least loss.

    Args:
        tuning: What is trained with.
        validation: The images.
        ready: Steps after which the network is what it is trained for; 0 if it is so untrained.
    """

    def __init__(self, tuning: Tuning, validation: Split, ready: int) -> None:
        super().__init__()
        self.tuning, self.validation, self.ready = tuning, validation, ready
        self.found: tuple[tuple[float, float], list[Any]] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Look at the untrained network, if it is one already."""
        self._look(0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Look at what the epoch made of it."""
        self._look((epoch + 1) * self.tuning.num_steps // self.tuning.epochs)

    def on_train_end(self, logs: Any = None) -> None:
        """Restore the best weights."""
        if self.found:
            for variable, value in zip(self.model.variables, self.found[1], strict=True):
                variable.assign(value)

    def _look(self, steps: int) -> None:
        if steps < self.ready:
            return
        answers = predict(self.model, self.tuning.preprocessing, self.validation.images)
        result = scores(answers, self.validation.labels)
        worth = result["accuracy"], -result["loss"]
        if self.found is None or worth > self.found[0]:
            self.found = worth, [variable.numpy() for variable in self.model.variables]


def _wrapped(
    model: tf_keras.Model, chosen: Callable[[Layer], bool], wrap: Callable[[Layer], Layer]
) -> tf_keras.Model:
    """Return a model with some of its layers wrapped."""
    return tf_keras.models.clone_model(
        model, clone_function=lambda layer: wrap(layer) if chosen(layer) else layer
    )


def _is_compressed(layer: Layer) -> bool:
    """Return whether a layer has kernels that may become sparse, or share their values."""
    return isinstance(layer, (tf_keras.layers.Conv2D, tf_keras.layers.Dense)) and layer.trainable


def _pruned(
    model: tf_keras.Model,
    fit: _Fit,
    before: Sequence[Technique],
    *,
    pattern: tuple[int, int] | None,
) -> Weights:
    """Set the least weights to zero, more and more of them over the first three quarters."""
    from tensorflow_model_optimization.sparsity import keras as sparsity

    end = max(1, fit.tuning.num_steps * 3 // 4)
    often = max(1, end // 50)
    if pattern is None:
        schedule = sparsity.PolynomialDecay(0.5, SPARSITY, 0, end, frequency=often)
        options = {}
    else:
        schedule = sparsity.ConstantSparsity(pattern[0] / pattern[1], 0, end, frequency=often)
        options = {"sparsity_m_by_n": pattern}

    pruned = _wrapped(
        model,
        _is_compressed,
        lambda layer: sparsity.prune_low_magnitude(layer, schedule, **options),
    )
    fit(pruned, [sparsity.UpdatePruningStep()], ready=end)
    return _weights(sparsity.strip_pruning(pruned))


def _clustered(model: tf_keras.Model, fit: _Fit, before: Sequence[Technique]) -> Weights:
    """Let the weights of a layer share a few values, and train those."""
    from tensorflow_model_optimization.clustering import keras as clustering

    start = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
    clustered = _wrapped(
        model,
        _is_compressed,
        lambda layer: clustering.cluster_weights(layer, CLUSTERS, start),
    )
    fit(clustered, ready=0)
    clustered(fit.images, training=False)  # gives each weight the nearest of the best values
    return _weights(clustering.strip_clustering(clustered))


def _aware(model: tf_keras.Model, fit: _Fit, before: Sequence[Technique]) -> Weights:
    """Round weights and activations as an 8-bit file does, forwards but not backwards."""
    from tensorflow_model_optimization.quantization import keras as quantization

    annotated = _wrapped(model, _is_rounded, quantization.quantize_annotate_layer)
    with quantization.quantize_scope({"Stateless": Stateless}):
        aware = quantization.quantize_apply(annotated, _scheme(before))
    fit(aware)
    aware(fit.images, training=False)  # leaves in each layer the weights that it computes with
    layers = {layer.name: layer for layer in (getattr(x, "layer", x) for x in aware.layers)}
    return {
        plain.name: [np.asarray(getattr(layers[plain.name], name)) for name in _weight_names(plain)]
        for plain in model.layers
        if plain.weights
    }


def _scheme(before: Sequence[Technique]) -> Any:
    """Return how the toolkit rounds, and what it keeps of the steps before."""
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts import (
        cluster_preserve,
    )
    from tensorflow_model_optimization.quantization.keras import collab_opts, default_8bit

    if "clustered" in before:
        schemes = cluster_preserve.default_8bit_cluster_preserve_quantize_scheme
        return schemes.Default8BitClusterPreserveQuantizeScheme("pruned" in before)
    if before:
        return collab_opts.Default8BitPrunePreserveQuantizeScheme()
    return default_8bit.Default8BitQuantizeScheme()


def _is_rounded(layer: Layer) -> bool:
    """Return whether an 8-bit file computes a layer in integers.

    It does not the last softmax and LRN, which is one of the layers that the toolkit does not know;
    and batch normalization only as a part of the convolution before it.
    """
    from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (
        default_8bit_quantize_registry as registry,
    )

    if isinstance(layer, tf_keras.layers.BatchNormalization):
        before = layer.inbound_nodes[0].inbound_layers
        kinds = (tf_keras.layers.Conv2D, tf_keras.layers.DepthwiseConv2D)
        return isinstance(before, kinds) and _activation(before) == "linear"
    if isinstance(layer, tf_keras.layers.Activation) and _activation(layer) == "softmax":
        return False
    if isinstance(layer, tf_keras.layers.SeparableConv2D):
        return False  # the toolkit takes it apart, and its weights would not be found again
    return bool(registry.Default8BitQuantizeRegistry().supports(layer))


def _activation(layer: Layer) -> str:
    return str(layer.activation.__name__)


def _weight_names(layer: Layer) -> list[str]:
    """Return the attributes that hold a layer's weights, in their order."""
    return [weight.name.split(":")[0].split("/")[-1] for weight in layer.weights]


def _weights(model: tf_keras.Model) -> Weights:
    return {layer.name: layer.get_weights() for layer in model.layers}


_STEPS: dict[Technique, Callable[[tf_keras.Model, _Fit, Sequence[Technique]], Weights]] = {
    "aware": _aware,
    "pruned": partial(_pruned, pattern=None),
    "pruned_2_4": partial(_pruned, pattern=(2, 4)),
    "clustered": _clustered,
}
