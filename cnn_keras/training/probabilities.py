"""The outputs of a classifier: whether they are probabilities, and layers that make them so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .evaluate import Probabilities

if TYPE_CHECKING:
    import keras

    from ..blocks import Tensor

_BOUND_TOLERANCE = 1e-3  # rounding error of an average of ones in half precision
_SUM_TOLERANCE = 0.02  # of probabilities in half precision or 8 bits
_CERTAIN_LOGIT = np.log(2.0**24)  # from here on float32 rounds the probability to 1
# Activations whose outputs cannot be all numbers, as logits can.
_RESTRICTED_ACTIVATIONS = ("tanh", "softsign", "relu", "relu6", "softplus")


def with_probabilities(model: keras.Model, scores: Probabilities | None = None) -> keras.Model:
    """Return a classifier that gives probabilities: the model itself if it does.

    Logits, and all other scores that are not each between 0 and 1, get a softmax. A single score
    becomes the probabilities of two classes, of which it is the second's. Calling this again
    changes nothing. The model's layers decide, and its scores only if the layers do not tell.

    Args:
        model: Functional or sequential, from one image to one row of scores `(batch, classes)`;
            other models are returned unchanged.
        scores: Its scores for images, `(n, classes)`; by default for noise.

    Example:
        >>> from cnn_keras import build
        >>> logits = build("lenet5", (16, 16, 1), 4, classifier_activation=None)
        >>> [layer.name for layer in with_probabilities(logits).layers[-2:]]
        ['logits', 'probabilities']
        >>> probabilities = build("lenet5", (16, 16, 1), 4)
        >>> with_probabilities(probabilities) is probabilities
        True
    """
    import keras

    inputs, outputs = getattr(model, "inputs", None), getattr(model, "outputs", None)
    if not inputs or not outputs or len(outputs) != 1 or len(outputs[0].shape) != 2:
        return model
    x, is_bounded = outputs[0], gives_probabilities(model, scores)
    if x.shape[1] == 1:
        both = keras.layers.Dense(2, trainable=False, name=_unused_name(model, "both_classes"))
        x = both(x)
        # The probabilities 1 - p and p, or two logits whose softmax they are.
        kernel, bias = ([[-1, 1]], [1, 0]) if is_bounded else ([[-0.5, 0.5]], [0, 0])
        both.set_weights([np.array(kernel), np.array(bias)])
    elif is_bounded:
        return model
    if not is_bounded:
        name = _unused_name(model, "probabilities")
        x = keras.layers.Activation("softmax", dtype="float32", name=name)(x)
    return keras.Model(inputs[0], x, name=model.name)


def gives_probabilities(model: keras.Model, scores: Probabilities | None = None) -> bool:
    """Return whether every score of a model is between 0 and 1 for every image.

    Args:
        model: See `with_probabilities`.
        scores: See `with_probabilities`.
    """
    import keras

    if (is_bounded := _is_bounded(model.outputs[0])) is not None:
        return is_bounded
    if scores is None:
        # Logits that are small for pixels up to 1 are not for pixels up to 255.
        shape = (4, *(side or 32 for side in model.inputs[0].shape[1:]))
        noise = np.random.default_rng(0).random(shape, np.float32)
        noise[2:] *= 255
        scores = keras.ops.convert_to_numpy(model(noise, training=False))
    return are_probabilities(scores)


def score_remarks(model: keras.Model, scores: Probabilities) -> list[str]:
    """Return remarks on scores that are not those of a classifier with exclusive classes.

    Args:
        model: The model as it was loaded, before `with_probabilities`.
        scores: Its scores for images, `(n, classes)`.

    Returns:
        A sentence if the scores are each between 0 and 1 but do not sum to 1, so that they are
        independent of each other, or if they come from an activation that is not one of logits.
    """
    is_bounded = gives_probabilities(model, scores)
    if is_bounded and scores.shape[1] > 1:
        sums = scores.sum(axis=1)
        if np.allclose(sums, 1, atol=_SUM_TOLERANCE):
            return []
        return [
            f"Scores are independent of each other (they sum to {sums.min():.3g} to "
            f"{sums.max():.3g}, not 1): if an image has several tags, only the highest counts "
            "here, as top-1."
        ]
    name = getattr(_activation(model.outputs[0]), "__name__", "linear")
    if is_bounded or name not in _RESTRICTED_ACTIVATIONS:
        return []
    return [
        f"Scores come from {name}, and a softmax turns them into probabilities: their order stays, "
        "but they may not tell how certain the model is."
    ]


def looks_like_regression(scores: Probabilities) -> bool:
    """Return whether the single score of a model is a quantity, such as an age in years.

    As logits, all its scores would name the same class with a probability that float32 rounds to
    1. A classifier of two classes is not that certain of every image.

    Args:
        scores: Scores for images, `(n, classes)`.
    """
    is_single = scores.shape[1] == 1
    return bool(is_single and (scores.min() > _CERTAIN_LOGIT or scores.max() < -_CERTAIN_LOGIT))


def are_probabilities(scores: Probabilities) -> bool:
    """Return whether all scores are between 0 and 1."""
    return bool(scores.min() >= -_BOUND_TOLERANCE and scores.max() <= 1 + _BOUND_TOLERANCE)


def _is_bounded(tensor: Tensor) -> bool | None:
    """Return whether a tensor's values are between 0 and 1, or None if its layers do not tell."""
    import keras
    from keras import activations, layers

    operation, node, index = tensor._keras_history
    inputs = operation._inbound_nodes[node].input_tensors
    if isinstance(operation, keras.Model):
        return _is_bounded(operation.outputs[index]) if getattr(operation, "outputs", ()) else None
    if isinstance(operation, layers.Softmax):
        return True
    keeps_bounds: tuple[type, ...] = (
        layers.Average,
        layers.Concatenate,
        layers.Dropout,
        layers.Flatten,
        layers.GlobalAveragePooling2D,
        layers.GlobalMaxPooling2D,
        layers.Identity,
        layers.Reshape,
    )
    activation = getattr(operation, "activation", None)
    if isinstance(operation, layers.Activation) and activation is activations.linear:
        keeps_bounds += (layers.Activation,)
    if isinstance(operation, keeps_bounds):
        found = {_is_bounded(each) for each in inputs}
        return found.pop() if len(found) == 1 else None
    if activation in (activations.softmax, activations.sigmoid, activations.hard_sigmoid):
        return True
    if isinstance(operation, layers.Dense) and _keeps_bounds(operation):
        return _is_bounded(inputs[0])
    if getattr(activation, "__module__", "").startswith("keras."):
        return False  # linear, tanh, relu, ...
    return None


def _activation(tensor: Tensor) -> object:
    """Return the activation of a model's last layer, or None if it has none."""
    import keras
    from keras import layers

    operation, node, index = tensor._keras_history
    if isinstance(operation, keras.Model):
        return _activation(operation.outputs[index]) if getattr(operation, "outputs", ()) else None
    if isinstance(operation, layers.Flatten | layers.Identity | layers.Reshape):
        return _activation(operation._inbound_nodes[node].input_tensors[0])
    if isinstance(operation, layers.ReLU):
        return keras.activations.relu
    return getattr(operation, "activation", None)


def _keeps_bounds(layer: keras.layers.Dense) -> bool:
    """Return whether a layer maps values between 0 and 1 to values between 0 and 1."""
    import keras

    if layer.activation is not keras.activations.linear or not layer.use_bias:
        return False
    kernel, bias = map(np.asarray, layer.get_weights())
    lowest = bias + np.minimum(kernel, 0).sum(axis=0)
    highest = bias + np.maximum(kernel, 0).sum(axis=0)
    return bool((lowest >= 0).all() and (highest <= 1).all())


def _unused_name(model: keras.Model, name: str) -> str:
    """Return the name, with a number added if a layer of the model has the same."""
    taken = {layer.name for layer in model.layers}
    names = (name, *(f"{name}{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in names if each not in taken)
