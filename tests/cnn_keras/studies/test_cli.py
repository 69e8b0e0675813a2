from __future__ import annotations

from dataclasses import fields
from importlib.util import find_spec

import pytest

from cnn_keras.studies.cli import STUDIES


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_has_a_module_of_its_name(name: str) -> None:
    module = name.replace("-", "_")
    rooms = ("cnn_keras.studies", "cnn_keras.studies.training")
    assert any(find_spec(f"{room}.{module}") for room in rooms)
    assert {"out", "json"} <= {field.name for field in fields(STUDIES[name])}
