"""The layers of an 8-bit file that stay in floating point.

They are those whose operations XNNPACK does not run in 8 bits (a recipe's `float_ops`), local
response normalization, and those that `--keep-float` or a repair names (`float_layers`).
"""

from __future__ import annotations

import re
from typing import Any

from cnn_keras.errors import UsageError

from ..recipes import Recipe
from ..tflite.find_lrn import lrn_tensors
from ..tflite.flatbuffer import name_of


def float_operations(recipe: Recipe, model: Any) -> list[tuple[str, str]]:
    """Return the operations that a recipe leaves in floating point.

    Args:
        recipe: The recipe.
        model: The parsed float32 file.

    Returns:
        Pairs of a regular expression of the quantizer's scopes, and an operation or ``"*"``.

    Raises:
        UsageError: The recipe's `float_layers` match no tensor of the file.
    """
    operations = [(".*", operation) for operation in recipe.float_ops]
    if scopes := _scopes(recipe, model):
        operations.append((f"^({'|'.join(map(re.escape, scopes))})$", "*"))
    return operations


def _scopes(recipe: Recipe, model: Any) -> list[str]:
    """Return the quantizer's names for the operations that stay in floating point by their tensors.

    Raises:
        UsageError: The recipe's `float_layers` match no tensor of the file.
    """
    graph = model.subgraphs[0]
    outputs = [[name_of(graph.tensors[index]) for index in op.outputs] for op in graph.operators]
    kept = [name for names in outputs for name in names if recipe.keeps_float(name)]
    if recipe.float_layers and not kept:
        raise UsageError(
            f"No tensor of the file has a name that matches '{recipe.float_layers}', which is to "
            "stay in floating point: `verify --layers` lists the names."
        )
    in_float = lrn_tensors(model) | set(kept)
    return [
        "".join(f"{name};" for name in names) for names in outputs if not in_float.isdisjoint(names)
    ]
