"""The layers and functions of a Keras model, including those of models inside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def operations(model: Any, *, sublayers: bool = False) -> Iterator[Any]:
    """Yield the layers and functions of a model in order, each once.

    A model inside the model comes before its own layers.

    Args:
        model: A model of Keras 3 or `tf_keras`.
        sublayers: Yield layers only, but also those that other layers, such as wrappers, are made
            of (Keras 3 only).

    Example:
        >>> import keras
        >>> from keras import layers
        >>> inner = [keras.Input((4,)), layers.Dense(2, name="dense")]
        >>> model = keras.Sequential(
        ...     [keras.Sequential(inner, name="inner"), layers.ReLU(name="relu")]
        ... )
        >>> [operation.name for operation in operations(model)]
        ['inner', 'dense', 'relu']
    """
    seen, stack = {id(model)}, [*reversed(_parts(model, sublayers))]
    while stack:
        operation = stack.pop()
        if id(operation) not in seen:
            seen.add(id(operation))
            yield operation
            stack += reversed(_parts(operation, sublayers))


def _parts(operation: Any, sublayers: bool) -> list[Any]:
    if sublayers:
        return list(getattr(operation, "_layers", ()))  # Keras has no public name for them
    if not hasattr(operation, "get_layer"):  # not a model
        return []
    return list(getattr(operation, "operations", operation.layers))
