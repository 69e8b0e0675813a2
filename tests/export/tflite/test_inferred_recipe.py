from __future__ import annotations

import pytest

from export.tflite.flatbuffer import parse
from export.tflite.inferred_recipe import inferred_recipe, integer_activations
from tests.fixtures.tiny_files import tiny_files


@pytest.mark.parametrize(
    ("name", "recipe", "activations"),
    [
        ("float32", "float32", set()),
        ("float16", "float16", set()),
        ("dynamic", "dynamic_wi8_afp32", set()),
        ("int8", "static_wi8_ai8", {"int8"}),
        ("int16", "static_wi8_ai16", {"int16"}),
    ],
)
def test_a_recipe_is_inferred_from_the_types(name: str, recipe: str, activations: set[str]) -> None:
    model = parse(tiny_files()[name])
    assert inferred_recipe(model) == recipe
    assert integer_activations(model) == activations
