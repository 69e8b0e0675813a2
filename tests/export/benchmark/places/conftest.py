"""A board that is this machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.places.local_board import Board


@pytest.fixture
def board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Board:
    board = Board(tmp_path)
    monkeypatch.setenv("PATH", f"{board.ssh.parent}{os.pathsep}{os.environ['PATH']}")
    return board
