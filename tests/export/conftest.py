"""The trained network that the tests of conversion, verification and studies share."""

from __future__ import annotations

import pytest

from tests.fixtures import trained_network
from tests.fixtures.trained_network import Trained


@pytest.fixture(scope="session")
def trained() -> Trained:
    return trained_network.train()
