"""The end of a classifier: whether it gives probabilities, and what makes logits probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .evaluate import Probabilities

if TYPE_CHECKING:
    import keras

    from ..blocks import Tensor

_TOLERANCE = 1e-3  # half precision rounds an average of ones to that
_CERTAIN = np.log(2.0**24)  # the logit from which on float32 rounds a probability to 1
_UNITY = 0.02  # how far probabilities in half precision or 8 bits may add up to something else
# Activations that leave out numbers which logits may be.
_NO_LOGITS = ("tanh", "softsign", "relu", "relu6", "softplus")


def with_probabilities(model: keras.Model, scores: Probabilities | None = None) -> keras.Model:
    """Return a classifier that gives probabilities: the model itself where it does.

    Logits, and any other scores that are not each between 0 and 1, get a softmax. One score becomes
    the probabilities of two classes; it is the second's. A second call changes nothing. What the
    model's layers say goes before what it gives for images.

    Args:
        model: Functional or sequential, from one image to one row of scores `(batch, classes)`;
            others come back as they are.
        scores: What it gives for pictures, `(n, classes)`, which decide where its layers do not
            say; by default for noise.

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
    x, bounded = outputs[0], gives_probabilities(model, scores)
    if x.shape[1] == 1:
        both = keras.layers.Dense(2, trainable=False, name=_free(model, "both_classes"))
        x = both(x)
        # The probabilities 1 - p and p, or logits whose softmax they are.
        kernel, bias = ([[-1, 1]], [1, 0]) if bounded else ([[-0.5, 0.5]], [0, 0])
        both.set_weights([np.array(kernel), np.array(bias)])
    elif bounded:
        return model
    if not bounded:
        name = _free(model, "probabilities")
        x = keras.layers.Activation("softmax", dtype="float32", name=name)(x)
    return keras.Model(inputs[0], x, name=model.name)


def gives_probabilities(model: keras.Model, scores: Probabilities | None = None) -> bool:
    """Return whether each score of a model is between 0 and 1 for every image.

    Args:
        model: See `with_probabilities`.
        scores: See there.
    """
    import keras

    if (known := _are_bounded(model.outputs[0])) is not None:
        return known
    if scores is None:
        # Logits that are small for pixels up to 1 are not for pixels up to 255.
        shape = (4, *(side or 32 for side in model.inputs[0].shape[1:]))
        noise = np.random.default_rng(0).random(shape, np.float32)
        noise[2:] *= 255
        scores = keras.ops.convert_to_numpy(model(noise, training=False))
    return are_probabilities(scores)


def remarks_on(model: keras.Model, scores: Probabilities) -> list[str]:
    """Say where scores are not what a classifier of one class among several gives.

    Args:
        model: As it came, before `with_probabilities`.
        scores: What it gives for pictures, `(n, classes)`.

    Returns:
        One sentence each. Scores that are each between 0 and 1 but do not add up to 1 are
        independent of each other; those of tanh, relu and the like were not trained as logits.
    """
    bounded = gives_probabilities(model, scores)
    if bounded and scores.shape[1] > 1:
        sums = scores.sum(axis=1)
        if np.allclose(sums, 1, atol=_UNITY):
            return []
        return [
            f"Scores are independent of each other (they add up to {sums.min():.3g} to "
            f"{sums.max():.3g}, not 1): of several tags in one picture only the highest counts "
            "here, as top-1."
        ]
    name = getattr(_activation(model.outputs[0]), "__name__", "linear")
    if bounded or name not in _NO_LOGITS:
        return []
    return [
        f"Scores come from {name}, and a softmax makes probabilities of them: their order stays, "
        "but they may not say how sure the model is."
    ]


def is_measured(scores: Probabilities) -> bool:
    """Return whether the one score of a model is a quantity, such as an age in years.

    As logits all its scores would name the same class, with a probability that float32 rounds to 1.
    A classifier of two classes is not that sure of every picture.

    Args:
        scores: For pictures, `(n, classes)`.
    """
    one = scores.shape[1] == 1
    return bool(one and (scores.min() > _CERTAIN or scores.max() < -_CERTAIN))


def are_probabilities(scores: Probabilities) -> bool:
    """Return whether all scores are between 0 and 1."""
    return bool(scores.min() >= -_TOLERANCE and scores.max() <= 1 + _TOLERANCE)


def _are_bounded(tensor: Tensor) -> bool | None:
    """Return whether a tensor's values are between 0 and 1; None if its layers do not say."""
    import keras
    from keras import activations, layers

    operation, node, index = tensor._keras_history
    inputs = operation._inbound_nodes[node].input_tensors
    if isinstance(operation, keras.Model):
        return _are_bounded(operation.outputs[index]) if getattr(operation, "outputs", ()) else None
    if isinstance(operation, layers.Softmax):
        return True
    passing: tuple[type, ...] = (
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
        passing += (layers.Activation,)
    if isinstance(operation, passing):
        found = {_are_bounded(each) for each in inputs}
        return found.pop() if len(found) == 1 else None
    if activation in (activations.softmax, activations.sigmoid, activations.hard_sigmoid):
        return True
    if isinstance(operation, layers.Dense) and _keeps_bounds(operation):
        return _are_bounded(inputs[0])
    if getattr(activation, "__module__", "").startswith("keras."):
        return False  # linear, tanh, relu, ...
    return None


def _activation(tensor: Tensor) -> object:
    """Return the activation that a model's scores come from; None if no layer says it."""
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
    """Return whether a layer maps values between 0 and 1 to such, as one to both classes does."""
    import keras

    if layer.activation is not keras.activations.linear or not layer.use_bias:
        return False
    kernel, bias = map(np.asarray, layer.get_weights())
    least = bias + np.minimum(kernel, 0).sum(axis=0)
    greatest = bias + np.maximum(kernel, 0).sum(axis=0)
    return bool((least >= 0).all() and (greatest <= 1).all())


def _free(model: keras.Model, name: str) -> str:
    """Return the name, or with a number the first that none of the model's layers has."""
    taken = {layer.name for layer in model.layers}
    names = (name, *(f"{name}{number}" for number in range(2, len(taken) + 3)))
    return next(each for each in names if each not in taken)
