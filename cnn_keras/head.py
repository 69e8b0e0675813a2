"""The end of a classifier: whether it gives probabilities, and what makes logits probabilities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .evaluate import Probabilities

if TYPE_CHECKING:
    import keras

    from .blocks import Tensor

_TOLERANCE = 1e-3  # half precision rounds an average of ones to that


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
