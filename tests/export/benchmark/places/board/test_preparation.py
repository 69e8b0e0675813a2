from __future__ import annotations

import sys
from importlib.metadata import version

import pytest

from export.benchmark.places.board import bundle
from export.benchmark.places.board.connection import Connection
from export.benchmark.places.board.preparation import Prepared, prepare
from export.benchmark.places.place import PlaceError
from tests.places.local_board import Board

RUNNER = bundle.folder_name(bundle.files())


def prepared(board: Board) -> Prepared:
    with Connection(board.destination) as connection:
        return prepare(connection, setup=False)


def test_runner_is_copied_once(board: Board, capsys: pytest.CaptureFixture[str]) -> None:
    first = prepared(board)
    assert (first.python, first.runner) == (sys.executable, RUNNER)
    assert first.versions["ai-edge-litert"] == version("ai-edge-litert")
    assert board.runners() == [RUNNER]
    assert "board: copy the runner (" in capsys.readouterr().err
    assert prepared(board) == first
    assert capsys.readouterr().err == ""
    assert board.left_behind() == []


def test_missing_packages_are_named_with_the_line_that_installs_them(board: Board) -> None:
    board.write_program("python3", f'exec {sys._base_executable} -I "$@"')
    with pytest.raises(PlaceError) as caught:
        prepared(board)
    assert str(caught.value) == (
        f"board: its python3 ({version_of_python()}) has no ai-edge-litert and no numpy. Run "
        f"there: python3 -m pip install ai-edge-litert=={version('ai-edge-litert')} numpy, or add "
        "--setup, which installs them in ~/.cache/cnn-keras there."
    )
    assert board.runners() == []


def version_of_python() -> str:
    return ".".join(map(str, sys.version_info[:3]))
