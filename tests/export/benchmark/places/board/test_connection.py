from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from cnn_keras.errors import UsageError
from export.benchmark.places.board.connection import BLOCK_BYTES, Connection, Destination
from export.benchmark.places.place import PlaceError
from tests.places.local_board import Board


@pytest.mark.parametrize(
    ("text", "login"),
    [
        ("board", ["ssh", "board"]),
        ("pi@192.168.1.5:2222", ["ssh", "-p", "2222", "pi@192.168.1.5"]),
        ("[::1]", ["ssh", "::1"]),
        ("pi@[fe80::1%eth0]:22", ["ssh", "-p", "22", "pi@fe80::1%eth0"]),
    ],
)
def test_destinations(text: str, login: list[str]) -> None:
    assert Destination.parse(text).login == login


@pytest.mark.parametrize(
    "text", ["", "-oProxyCommand=touch x", "a b", "board:ssh", "fe80::1", "pi@", "a@b@c:1:2"]
)
def test_malformed_destinations(text: str) -> None:
    with pytest.raises(UsageError, match=r"takes \[USER@\]HOST\[:PORT\]"):
        Destination.parse(text)


def test_version_of_python(board: Board) -> None:
    with Connection(board.destination) as connection:
        assert connection.python == sys.version_info[:2]


def test_copy(board: Board) -> None:
    blocks = []
    data = bytes(range(256)) * 2048
    digest = hashlib.sha256(data).hexdigest()
    with Connection(board.destination) as connection:
        path = connection.copy("images.npy", data, digest, lambda: blocks.append(1))
        assert path.startswith(str(board.home / "tmp"))
        assert Path(path).read_bytes() == data
    assert len(blocks) == len(data) // BLOCK_BYTES
    assert board.left_behind() == []


def test_refusal_names_the_board(board: Board) -> None:
    with Connection(board.destination) as connection, pytest.raises(PlaceError) as caught:
        connection.copy("/dev/full", b"data", "", lambda: None)
    assert str(caught.value) == "board: cannot write /dev/full: No space left on device."


def test_what_startup_files_print_is_skipped(board: Board) -> None:
    board.write_program("python3", f'echo "Welcome!"; printf motd; exec {sys.executable} "$@"')
    with Connection(board.destination) as connection:
        assert connection.python == sys.version_info[:2]


def test_modules_in_the_home_folder_shadow_nothing(board: Board) -> None:
    (board.home / "json.py").write_text("raise SystemExit('shadowed')")
    with Connection(board.destination) as connection:
        assert connection.python == sys.version_info[:2]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("exit 1", "runs no Python: exit code 1"),
        ("echo This account is not available.; exit 1", "runs no Python: This account"),
        ("echo 'sh: 1: python3: not found' >&2; exit 127", "has no python3"),
        (
            # Runs the code as an old Python would.
            f"exec {sys.executable} -c 'import sys; sys.version_info = (3, 7, 0); "
            'exec(sys.argv[2])\' "$@"',
            "has Python 3.7 as python3",
        ),
        (
            f"exec {sys.executable} -c 'import sys; sys.maxsize = 2**31 - 1; "
            'exec(sys.argv[2])\' "$@"',
            "its Python is 32-bit",
        ),
    ],
)
def test_python_that_does_not_start(script: str, line: str, board: Board) -> None:
    board.write_program("python3", script)
    with pytest.raises(PlaceError) as caught:
        Connection(board.destination)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_ssh_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PlaceError, match="ssh is not installed here"):
        Connection(Destination.parse("board"))
