"""Layer names and the rows of a paper: a layer is named `row_role`."""

from __future__ import annotations

# What may follow the row in a layer's name.
# fmt: off
ROLES = frozenset({
    "a", "b", "c", "add", "shortcut",  # of a residual module
    "1x1", "3x3", "5x5", "reduce", "pool", "proj", "concat",  # of an Inception module
    "activation", "bn", "coefficient", "conv", "dropout", "fc", "flatten", "logits", "lrn", "pad",
    "probabilities", "relu",
})
# fmt: on


def row_of(layer_name: str) -> str:
    """Return the paper's row that a layer belongs to.

    Example:
        >>> row_of("conv2_1_a_bn")
        'conv2_1'
    """
    row, _, role = layer_name.rpartition("_")
    return row_of(row) if row and role in ROLES else layer_name
