from __future__ import annotations

from typing import Any

import pytest
from grimp import ImportGraph

from tests.import_contract import AllowedImports

IMPORTS = [("a.one", "os"), ("a.one", "numpy"), ("a.one", "a.two"), ("a.two", "b")]


def broken(**options: Any) -> list[str]:
    graph = ImportGraph()
    for importer, imported in IMPORTS:
        graph.add_import(importer=importer, imported=imported)
    contract = AllowedImports("", {}, {"modules": ["a.*"], **options})
    check = contract.check(graph, verbose=False)
    assert check.kept == (not check.metadata["broken"])
    return list(check.metadata["broken"])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"allowed": ["numpy", "b"]}, []),
        ({"allowed": ["b"]}, ["a.one -> numpy"]),
        ({"allowed": ["numpy"]}, ["a.two -> b"]),
        ({"allowed": ["numpy", "b"], "independent": "true"}, ["a.one -> a.two"]),
        (
            {
                "allowed": ["numpy", "b"],
                "independent": "true",
                "ignore_imports": ["a.one -> a.two"],
            },
            [],
        ),
    ],
)
def test_only_listed_modules_may_be_imported(options: dict[str, Any], expected: list[str]) -> None:
    assert broken(**options) == expected


def test_a_single_import_may_be_allowed() -> None:
    options = {"allowed": ["numpy", "b"], "independent": "true"}
    assert broken(**options, ignore_imports=["a.one -> a.two"]) == []


def test_a_list_names_existing_modules() -> None:
    with pytest.raises(ValueError, match="'c' does not exist"):
        broken(allowed=["numpy", "b", "c"])
