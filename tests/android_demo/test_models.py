"""The expected properties of the app's model fixtures are those that Python reads."""

from __future__ import annotations

import json

import pytest

from tests.fixtures.android.write_models import EXPECTED, FOLDER, describe

PROPERTIES = json.loads((FOLDER / EXPECTED).read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", PROPERTIES)
def test_python_reads_the_expected_properties(name: str) -> None:
    found = describe((FOLDER / f"{name}.tflite").read_bytes())
    assert json.loads(json.dumps(found)) == PROPERTIES[name]
