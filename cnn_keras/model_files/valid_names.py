"""Names of models and layers that TensorFlow accepts as name scopes of its graph."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from .nested_layers import operations

if TYPE_CHECKING:
    import keras

_INVALID_IN_SCOPE = re.compile(r"[^A-Za-z0-9_.-]")


def scope_name(name: str) -> str:
    """Return a name of ASCII letters, digits, `_`, `.` and `-` that begins with a letter or digit.

    Example:
        >>> [scope_name(name) for name in ("resnet-18", "_best", "größe 2", "模型")]
        ['resnet-18', 'best', 'gr__e_2', 'model']
    """
    return _INVALID_IN_SCOPE.sub("_", name).lstrip("_.-") or "model"


def rename_layers(model: keras.Model) -> None:
    """Rename a model, and those of its layers, whose names are not valid scopes.

    Such names occur in models that were built eagerly or on another backend.

    Args:
        model: The model, which is changed in place.
    """
    layers = [model, *operations(model, sublayers=True)]
    taken = {layer.name for layer in layers}
    for layer in layers:
        wanted = scope_name(layer.name)
        if wanted == layer.name:
            continue
        numbered = (f"{wanted}_{number}" for number in range(1, len(layers) + 1))
        layer.name = next(name for name in (wanted, *numbered) if name not in taken)
        taken.add(layer.name)
