"""Small `.tflite` files on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fixtures.tiny_files import broken_files, tiny_files


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], Path]:
    """Write a tiny or a broken file by name and return its path."""

    def write(name: str) -> Path:
        path = tmp_path / f"{name}.tflite"
        path.write_bytes((tiny_files() | broken_files())[name])
        return path

    return write
