"""Names of layers and models that TensorFlow takes for the scopes of its graph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

_NOT_IN_SCOPES = re.compile(r"[^A-Za-z0-9_.-]")


def scope_name(name: str) -> str:
    """Return a name of ASCII letters and digits, which begins with one of them.

    Example:
        >>> [scope_name(name) for name in ("resnet-18", "_best", "größe 2", "模型")]
        ['resnet-18', 'best', 'gr__e_2', 'model']
    """
    return _NOT_IN_SCOPES.sub("_", name).lstrip("_.-") or "model"


def rename_layers(model: keras.Model) -> None:
    """Rename a model, and those of its layers that TensorFlow could not call by their names.

    They were built eagerly, or on another backend.

    Args:
        model: Changed.
    """
    layers = [model, *model._flatten_layers(include_self=False)]
    taken = {layer.name for layer in layers}
    for layer in layers:
        wanted = scope_name(layer.name)
        if wanted == layer.name:
            continue
        numbered = (f"{wanted}_{number}" for number in range(1, len(layers) + 1))
        layer.name = next(name for name in (wanted, *numbered) if name not in taken)
        taken.add(layer.name)
