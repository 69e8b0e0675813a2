"""Names of layers, `row_role`, and the rows of a paper that they belong to."""

from __future__ import annotations

# Suffixes after the row in the name of a layer.
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
