"""The layers of an 8-bit file that are stored otherwise: in floating point, or in 4 bits.

In floating point stay those whose operations XNNPACK does not run in 8 bits (a recipe's
`float_ops`), local response normalization, and those that `--keep-float` or a repair names
(`float_layers`). 4-bit weights have those of `int4_layers`.
"""

from __future__ import annotations

import re
from collections.abc import Set
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
    named = _matching(recipe.float_layers, model, "stay in floating point")
    if kept := _scopes(lrn_tensors(model) | named, model):
        operations.append((kept, "*"))
    return operations


def int4_operations(recipe: Recipe, model: Any) -> str | None:
    """Return a regular expression of the quantizer's scopes whose weights have 4 bits, if any.

    Raises:
        UsageError: The recipe's `int4_layers` match no tensor of the file.
    """
    return _scopes(_matching(recipe.int4_layers, model, "have 4-bit weights"), model)


def _matching(pattern: str | None, model: Any, purpose: str) -> set[str]:
    """Return the names of the computed tensors that match a pattern.

    Raises:
        UsageError: There are none.
    """
    if not pattern:
        return set()
    found = {name for names in _outputs(model) for name in names if re.search(pattern, name)}
    if not found:
        raise UsageError(
            f"No tensor of the file has a name that matches '{pattern}', which is to {purpose}: "
            "`verify --layers` lists the names."
        )
    return found


def _scopes(tensors: Set[str], model: Any) -> str | None:
    """Return a regular expression of the quantizer's names for the operations of some tensors."""
    scopes = [
        "".join(f"{name};" for name in names)
        for names in _outputs(model)
        if not tensors.isdisjoint(names)
    ]
    return f"^({'|'.join(map(re.escape, scopes))})$" if scopes else None


def _outputs(model: Any) -> list[list[str]]:
    """Return the names of the tensors that each operation computes."""
    graph = model.subgraphs[0]
    return [[name_of(graph.tensors[index]) for index in op.outputs] for op in graph.operators]
