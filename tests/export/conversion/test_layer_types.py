from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from cnn_keras.errors import UsageError
from export.conversion.layer_types import float_operations, int4_operations
from export.recipes import recipe
from export.tflite.flatbuffer import name_of, parse
from tests.fixtures.trained_network import Trained

STATIC = recipe("static_wi8_ai8")


def matched(scopes: str, names: Sequence[str]) -> list[str]:
    """The tensors whose operation, with one output, the expression names to the quantizer."""
    return [name for name in names if re.search(scopes, f"{name};")]


def test_a_recipe_keeps_the_operations_that_xnnpack_does_not_run_in_8_bits(
    trained: Trained,
) -> None:
    kept = float_operations(STATIC, parse(trained.float32))
    assert kept == [(".*", operation) for operation in STATIC.float_ops]


def test_layers_are_kept_by_the_names_of_their_tensors(trained: Trained) -> None:
    model = parse(trained.float32)
    graph = model.subgraphs[0]
    names = [name_of(graph.tensors[op.outputs[0]]) for op in graph.operators]
    *_, (scopes, operation) = float_operations(STATIC.with_float_layers("conv2"), model)
    assert operation == "*"
    assert matched(scopes, names) == [name for name in names if "conv2" in name] != []


def test_an_expression_that_matches_no_tensor_is_refused(trained: Trained) -> None:
    model = parse(trained.float32)
    with pytest.raises(UsageError, match=r"No tensor of the file .* 'conv9', .* floating point"):
        float_operations(STATIC.with_float_layers("conv9"), model)
    with pytest.raises(UsageError, match=r"No tensor of the file .* 'conv9', .* 4-bit weights"):
        int4_operations(STATIC.with_int4_layers("conv9"), model)
    assert int4_operations(STATIC, model) is None
