"""The networks of the zoo, which the tests of networks share."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import keras
import pytest

import cnn_keras
from cnn_keras.inspection.anatomy import build_uninitialized


@pytest.fixture(scope="session")
def model_of() -> Callable[[str], keras.Model]:
    """Build a network of the zoo once per session; its weights have shapes but no values."""

    @cache
    def build(name: str) -> keras.Model:
        return build_uninitialized(lambda: cnn_keras.build(name))

    return build
