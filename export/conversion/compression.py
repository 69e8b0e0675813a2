"""Further training for smaller files: quantization-aware, pruned, clustered.

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

from cnn_keras.data.augmentation.augment import Augmentation
from cnn_keras.data.loading.image_files import AnySplit
from cnn_keras.data.pipeline import training_batches
from cnn_keras.data.preprocessing import Float32Images, Preprocessing
from cnn_keras.errors import UsageError, keras_reason
from cnn_keras.training.evaluate import scores
from cnn_keras.training.optimization.optimizers import keras_weight_decay
from cnn_keras.training.predict import predict
from cnn_keras.training.probabilities import gives_probabilities
from cnn_keras.training.recipes import Recipe

from ..recipes import Technique
from .tf_keras_copy import Stateless, copy_to_tf_keras, require_equal

if TYPE_CHECKING:
    import keras

Layer: TypeAlias = tf_keras.layers.Layer
Weights: TypeAlias = dict[str, list[Any]]  # by layer name

SPARSITY = 0.75
CLUSTERS = 16

# Learning rate of each technique, relative to the recipe's own. A trained network has to adapt to
# rounding only; where three of four weights are removed, the others have to replace them.
RATE_FACTORS: dict[Technique, float] = {
    "aware": 0.01,
    "pruned": 0.1,
    "pruned_2_4": 0.1,
    "clustered": 0.01,
}

_COMPARED_IMAGES = 8


class TrainingSetup(NamedTuple):
    """Data and settings of further training.

    Attributes:
        train: Training images, in the network's size, and labels.
        preprocessing: Applied after the augmentation.
        recipe: The network's own; each technique takes a part of its rate (`RATE_FACTORS`).
        flip: Whether images are mirrored at random.
        seed: Seed of the order and the augmentation.
        epochs: Passes over the images, for each technique.
        validation: Held-out images and labels that select the best epoch; without them the last
            epoch is used.
    """

    train: AnySplit
    preprocessing: Preprocessing
    recipe: Recipe
    flip: bool
    seed: int
    epochs: int
    validation: AnySplit | None = None

    @property
    def num_steps(self) -> int:
        """Steps of gradient descent for one technique."""
        return self.epochs * (len(self.train.labels) // self.recipe.batch_size)


def train_further(
    model: keras.Model,
    technique: Technique,
    setup: TrainingSetup,
    advance: Callable[[], None] = lambda: None,
    previous: Sequence[Technique] = (),
) -> keras.Model:
    """Train a network further by one technique.

    Args:
        model: The trained network; it is not changed.
        technique: What it is trained for.
        setup: Data and settings.
        advance: Called after every step of gradient descent.
        previous: Techniques applied before; ``"aware"`` preserves their zeros and clusters.

    Returns:
        A copy with the weights of the epoch that was best on the validation images. Aware weights
        are those that the layers compute with: rounded to the 255 levels of their channel's range.

    Raises:
        UsageError: The model has no copy in tf_keras, or the toolkit does not support it.
        Error: The copy in tf_keras is not equal.
    """
    import keras

    trained = keras.models.clone_model(model)
    trained.set_weights(model.get_weights())
    copy = copy_to_tf_keras(trained)
    images = setup.preprocessing(setup.train.sample(_COMPARED_IMAGES).read())
    require_equal(model, copy.model, images)
    trainer = _Trainer(
        setup, RATE_FACTORS[technique], advance, not gives_probabilities(model), images
    )
    try:
        weights = _TECHNIQUES[technique](_clone(copy.model), trainer, previous)
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"'{model.name}' cannot be {technique}: {keras_reason(error)}", details=str(error)
        ) from error
    for original, layer in copy.layers:
        if layer.weights:
            original.set_weights(weights[layer.name])
    return trained


def _clone(model: tf_keras.Model) -> tf_keras.Model:
    """Return a clone with its own layers, because the toolkit replaces weights of what it wraps."""
    clone = tf_keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


class _Trainer:
    """Trains a wrapped model.

    Args:
        setup: Data and settings.
        rate_factor: Learning rate, relative to the recipe's.
        advance: Called after every step.
        from_logits: Whether the model's outputs are logits.
        images: A few preprocessed training images.
    """

    def __init__(
        self,
        setup: TrainingSetup,
        rate_factor: float,
        advance: Callable[[], None],
        from_logits: bool,
        images: Float32Images,
    ) -> None:
        self.setup, self.rate_factor, self.advance = setup, rate_factor, advance
        self.from_logits, self.images = from_logits, images

    def __call__(
        self, model: tf_keras.Model, callbacks: Sequence[Any] = (), min_steps: int = 1
    ) -> None:
        """Train a model in place, and restore the weights of its best epoch.

        Args:
            model: The model.
            callbacks: Called before those of the trainer.
            min_steps: See `BestWeights`.
        """
        setup, recipe = self.setup, replace(self.setup.recipe, epochs=self.setup.epochs)
        batches = training_batches(
            setup.train,
            setup.preprocessing,
            Augmentation(recipe.shift, recipe.rotation, setup.flip),
            batch_size=recipe.batch_size,
            epochs=recipe.epochs,
            seed=setup.seed,
        )
        model.compile(
            tf_keras.optimizers.SGD(
                self.rate_factor * recipe.learning_rate,
                recipe.momentum,
                weight_decay=keras_weight_decay(recipe.weight_decay, recipe.momentum),
            ),
            tf_keras.losses.SparseCategoricalCrossentropy(self.from_logits),
        )
        best = [BestWeights(setup, setup.validation, min_steps)] if setup.validation else []
        progress = tf_keras.callbacks.LambdaCallback(on_batch_end=lambda *_, **__: self.advance())
        model.fit(
            batches,
            epochs=setup.epochs,
            steps_per_epoch=setup.num_steps // setup.epochs,
            callbacks=[*callbacks, progress, *best],
            shuffle=False,  # the batches are shuffled already
            verbose=0,
        )


class BestWeights(tf_keras.callbacks.Callback):
    """Restores the weights with the highest validation accuracy; of equal ones, the least loss.

    Args:
        setup: Data and settings of the training.
        validation: The images and labels.
        min_steps: Steps of training from which on weights count; 0 counts the initial ones, too.
    """

    def __init__(self, setup: TrainingSetup, validation: AnySplit, min_steps: int) -> None:
        super().__init__()
        self.setup, self.validation, self.min_steps = setup, validation, min_steps
        self.best: tuple[tuple[float, float], list[Any]] | None = None

    def on_train_begin(self, logs: Any = None) -> None:
        """Evaluate the initial weights, if they count."""
        self._evaluate(0)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Evaluate the weights after an epoch."""
        self._evaluate((epoch + 1) * self.setup.num_steps // self.setup.epochs)

    def on_train_end(self, logs: Any = None) -> None:
        """Restore the best weights."""
        if self.best:
            for variable, value in zip(self.model.variables, self.best[1], strict=True):
                variable.assign(value)

    def _evaluate(self, steps: int) -> None:
        if steps < self.min_steps:
            return
        outputs = predict(self.model, self.setup.preprocessing, self.validation)
        metrics = scores(outputs, self.validation.labels)
        score = metrics["accuracy"], -metrics["loss"]
        if self.best is None or score > self.best[0]:
            self.best = score, [variable.numpy() for variable in self.model.variables]


def _wrap_layers(
    model: tf_keras.Model, selects: Callable[[Layer], bool], wrap: Callable[[Layer], Layer]
) -> tf_keras.Model:
    """Return a model with the selected layers wrapped."""
    return tf_keras.models.clone_model(
        model, clone_function=lambda layer: wrap(layer) if selects(layer) else layer
    )


def _is_compressible(layer: Layer) -> bool:
    """Return whether a layer has kernels that may become sparse or be clustered."""
    return isinstance(layer, (tf_keras.layers.Conv2D, tf_keras.layers.Dense)) and layer.trainable


def _prune(
    model: tf_keras.Model,
    train: _Trainer,
    previous: Sequence[Technique],
    *,
    pattern: tuple[int, int] | None,
) -> Weights:
    """Set the smallest weights to zero, more and more of them over the first three quarters."""
    from tensorflow_model_optimization.sparsity import keras as sparsity

    end_step = max(1, train.setup.num_steps * 3 // 4)
    frequency = max(1, end_step // 50)
    if pattern is None:
        schedule = sparsity.PolynomialDecay(0.5, SPARSITY, 0, end_step, frequency=frequency)
        options = {}
    else:
        density = pattern[0] / pattern[1]
        schedule = sparsity.ConstantSparsity(density, 0, end_step, frequency=frequency)
        options = {"sparsity_m_by_n": pattern}

    pruned = _wrap_layers(
        model,
        _is_compressible,
        lambda layer: sparsity.prune_low_magnitude(layer, schedule, **options),
    )
    train(pruned, [sparsity.UpdatePruningStep()], min_steps=end_step)
    return _weights_by_layer(sparsity.strip_pruning(pruned))


def _cluster(model: tf_keras.Model, train: _Trainer, previous: Sequence[Technique]) -> Weights:
    """Let the weights of a layer share a few values, and train these values."""
    from tensorflow_model_optimization.clustering import keras as clustering

    initialization = clustering.CentroidInitialization.KMEANS_PLUS_PLUS
    clustered = _wrap_layers(
        model,
        _is_compressible,
        lambda layer: clustering.cluster_weights(layer, CLUSTERS, initialization),
    )
    train(clustered, min_steps=0)
    clustered(train.images, training=False)  # assigns each weight to the nearest centroid
    return _weights_by_layer(clustering.strip_clustering(clustered))


def _train_aware(model: tf_keras.Model, train: _Trainer, previous: Sequence[Technique]) -> Weights:
    """Round weights and activations in the forward pass as an 8-bit file does."""
    from tensorflow_model_optimization.quantization import keras as quantization

    annotated = _wrap_layers(model, _is_quantized, quantization.quantize_annotate_layer)
    with quantization.quantize_scope({"Stateless": Stateless}):
        aware = quantization.quantize_apply(annotated, _quantization_scheme(previous))
    train(aware)
    aware(train.images, training=False)  # leaves in each layer the weights that it computes with
    layers = {layer.name: layer for layer in (getattr(x, "layer", x) for x in aware.layers)}
    return {
        plain.name: [np.asarray(getattr(layers[plain.name], name)) for name in _weight_names(plain)]
        for plain in model.layers
        if plain.weights
    }


def _quantization_scheme(previous: Sequence[Technique]) -> Any:
    """Return how the toolkit rounds, and what it preserves of the previous techniques."""
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts import (
        cluster_preserve,
    )
    from tensorflow_model_optimization.quantization.keras import collab_opts, default_8bit

    if "clustered" in previous:
        schemes = cluster_preserve.default_8bit_cluster_preserve_quantize_scheme
        return schemes.Default8BitClusterPreserveQuantizeScheme("pruned" in previous)
    if previous:
        return collab_opts.Default8BitPrunePreserveQuantizeScheme()
    return default_8bit.Default8BitQuantizeScheme()


def _is_quantized(layer: Layer) -> bool:
    """Return whether an 8-bit file computes a layer in integers.

    The last softmax and LRN stay in floating point (LRN is one of the layers that the toolkit does
    not know). Batch normalization is computed in integers only if it is folded into the convolution
    before it.
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
        return False  # the toolkit splits it in two, so its weights would not be found afterwards
    return bool(registry.Default8BitQuantizeRegistry().supports(layer))


def _activation(layer: Layer) -> str:
    return str(layer.activation.__name__)


def _weight_names(layer: Layer) -> list[str]:
    """Return the attributes that hold a layer's weights, in the order of `get_weights`."""
    return [weight.name.split(":")[0].split("/")[-1] for weight in layer.weights]


def _weights_by_layer(model: tf_keras.Model) -> Weights:
    return {layer.name: layer.get_weights() for layer in model.layers}


_TECHNIQUES: dict[Technique, Callable[[tf_keras.Model, _Trainer, Sequence[Technique]], Weights]] = {
    "aware": _train_aware,
    "pruned": partial(_prune, pattern=None),
    "pruned_2_4": partial(_prune, pattern=(2, 4)),
    "clustered": _cluster,
}
