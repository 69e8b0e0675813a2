"""The networks of the zoo and two processes of JAX, which several test files share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import keras
import pytest

import cnn_keras
from cnn_keras.inspection.anatomy import build_uninitialized
from cnn_keras.training.hosts.cluster import local_clusters
from cnn_keras.training.hosts.setup import Setup
from cnn_keras.training.hosts.supervisor import supervise
from tests.fixtures.hosts.processes import jax_work


@pytest.fixture(scope="session")
def model_of() -> Callable[[str], keras.Model]:
    """Build a network of the zoo once per session; its weights have shapes but no values."""

    @cache
    def build(name: str) -> keras.Model:
        return build_uninitialized(lambda: cnn_keras.build(name))

    return build


@pytest.fixture(scope="session")
def joint() -> Any:
    """What process 0 of two finds, see `jax_work`."""
    return supervise(jax_work(), local_clusters(2), Setup({}, {}), 60).document
