"""What two processes of JAX find, which the tests of several modules share."""

from __future__ import annotations

from typing import Any

import pytest

from cnn_keras.training.hosts.setup import Setup
from cnn_keras.training.hosts.supervisor import supervise
from tests.fixtures.joint_processes import clusters, jax_work


@pytest.fixture(scope="session")
def joint() -> Any:
    """The document of process 0 of two, see `joint_processes`."""
    return supervise(jax_work(), clusters(2), Setup({}, {}), 60).document
