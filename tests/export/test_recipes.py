from __future__ import annotations

import pytest

from cnn_keras.errors import UsageError
from export.recipes import DEFAULT, RECIPES, recipe, select


def test_recipes_are_found_by_their_own_names():
    assert all(recipe(name).name == name for name in RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_only_integer_recipes_have_integer_types(name: str) -> None:
    row = RECIPES[name]
    assert (len(row.io_types) > 1) == row.integer
    assert row.with_io_types("float32", "float32") == row
    with pytest.raises(UsageError, match=f"Recipe '{name}' has input and output in float32"):
        row.with_io_types("float32", "int8" if "ai16" in name or not row.integer else "int16")


def test_selection_is_without_repetition_and_default_if_empty() -> None:
    names = ["float16", "float32", "float16"]
    assert [row.name for row in select(names)] == ["float16", "float32"]
    assert select(()) == list(DEFAULT.values())
    with pytest.raises(UsageError, match="Did you mean 'float16'"):
        select(["float32", "float61"])
