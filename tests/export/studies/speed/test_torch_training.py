from __future__ import annotations

import pytest

from tests.backends.environment import run_there

pytestmark = pytest.mark.slow


def test_the_loop_trains_and_augments() -> None:
    run_there("plain_torch_loop.py")
