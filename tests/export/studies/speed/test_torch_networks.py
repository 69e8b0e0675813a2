from __future__ import annotations

import pytest

from tests.backends.environment import run_there

pytestmark = pytest.mark.slow


def test_the_networks_equal_those_of_the_zoo() -> None:
    run_there("plain_torch.py")
