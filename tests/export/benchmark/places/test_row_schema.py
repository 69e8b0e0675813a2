from __future__ import annotations

from jsonschema import Draft202012Validator

from export.benchmark.places.row_schema import schema


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_required_keys_are_described() -> None:
    assert set(schema()["required"]) <= set(schema()["properties"])
