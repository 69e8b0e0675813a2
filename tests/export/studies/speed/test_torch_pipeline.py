from __future__ import annotations

import pytest

from tests.backends.environment import run_there

pytestmark = pytest.mark.slow


def test_the_loader_yields_the_pixels_of_pillow() -> None:
    run_there("torch_loader.py")
