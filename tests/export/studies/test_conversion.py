from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from export.studies.conversion import (
    MAX_RELATIVE_ERROR,
    RECIPES,
    claims,
    conversion,
    convert_network,
    relative_error,
)


def test_the_deepest_plain_network_equals_keras(tmp_path: Path) -> None:
    record = conversion(["plain56"], tmp_path)
    path = tmp_path / "conversion.json"
    assert json.loads(path.read_text()) == json.loads(json.dumps(record))
    assert "<svg" in path.with_suffix(".svg").read_text()
    assert [row["recipe"] for row in record["files"]] == list(RECIPES)
    assert all(claim["holds"] for claim in record["claims"])
    # 2.6e-4 without `normalize_by`'s shift.
    assert record["files"][0]["max_relative_error"] < 3e-5


def test_a_deep_residual_network_predicts_more_than_one_class() -> None:
    float32 = convert_network("resnet56")[0]
    assert float32["max_probability"] < 0.9  # 1.0 without `normalize_by`'s scale
    assert 0 < float32["max_relative_error"] < MAX_RELATIVE_ERROR


@pytest.mark.parametrize(
    ("fault", "holds"),
    [
        ({}, [True, True, True, True]),
        ({"partitions": 3}, [False, True, True, True]),
        ({"delegated_nodes": 8}, [True, False, True, True]),
        ({"flex_ops": 1}, [True, True, False, True]),
        ({"max_relative_error": 2 * MAX_RELATIVE_ERROR}, [True, True, True, False]),
    ],
)
def test_each_fault_fails_its_claim(fault: dict[str, float], holds: list[bool]) -> None:
    row = {
        "network": "lenet5",
        "recipe": "float32",
        "nodes": 9,
        "delegated_nodes": 9,
        "partitions": 1,
        "flex_ops": 0,
        "max_relative_error": MAX_RELATIVE_ERROR,
    }
    assert [claim.holds for claim in claims([row | fault])] == holds


def test_errors_are_relative_to_the_largest_probability() -> None:
    found, expected = np.array([[0.5, 0.25, 0.25]]), np.array([[0.5, 0.3, 0.2]])
    assert relative_error(found, expected) == pytest.approx(0.1)
