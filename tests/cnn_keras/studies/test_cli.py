from __future__ import annotations

from dataclasses import fields
from importlib.util import find_spec

import pytest

from cnn_keras.studies.cli import STUDIES, record_outcome


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_a_module_of_its_name(name: str) -> None:
    assert find_spec(f"cnn_keras.studies.{name}")
    assert {"out", "json"} <= {field.name for field in fields(STUDIES[name])}


@pytest.mark.parametrize("failed", [[], [{"run": "lenet5_0", "reason": "no space"}]])
def test_a_failed_run_decides_the_exit_code(failed: list[dict[str, str]]) -> None:
    document = {"claims": [], "failed": failed}
    outcome = record_outcome(document)
    assert outcome.document is document
    assert outcome.exit_code == len(failed)
