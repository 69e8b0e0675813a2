from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import ai_edge_litert
import pytest

from cnn_keras.errors import UsageError
from export.benchmark.places.ssh import SshOptions
from export.cli import main
from tests.places.local_board import Board

QUICK = ("--num-runs", "5", "--min-secs", "0", "--warmup-secs", "0")


def test_two_numbers_of_threads_here_and_there(
    board: Board, file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["benchmark", str(file("float32")), "--threads", "1", "2", *QUICK]
    capsys.readouterr()  # of the conversion
    assert main([*command, "--local", "--ssh", "board", "--json"]) == 0
    printed = capsys.readouterr()
    rows = json.loads(printed.out)["rows"]
    assert [(row["place"], row["num_threads"]) for row in rows] == [
        *(("local", 1), ("local", 2)),
        *(("ssh:board", 1), ("ssh:board", 2)),
    ]
    assert all(row["digest"]["equal"] for row in rows)
    assert {row["file"] for row in rows} == {command[1]}
    assert printed.err.count("board: copy") == 2  # the runner and the file
    assert board.connections.read_text() == "\n"
    assert board.left_behind() == []


def test_files_after_one_that_fails_are_measured(
    board: Board, file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The first process of LiteRT there ends without an answer."""
    package = board.home / "stand_in" / "ai_edge_litert"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from pathlib import Path\n"
        f"once = Path({str(board.home / 'once')!r})\n"
        "if not once.exists():\n"
        "    once.touch()\n"
        "    raise ImportError('not now')\n"
        f"__path__ = [{ai_edge_litert.__path__[0]!r}]\n"
    )
    python = f'PYTHONPATH="$PYTHONPATH:{package.parent}" exec {sys.executable} "$@"'
    board.write_program("python3", python)
    files = [str(file(name)) for name in ("float32", "int8")]
    capsys.readouterr()  # of the conversion
    assert main(["benchmark", *files, *QUICK, "--ssh", "board", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [row["file"] for row in document["rows"]] == files[1:]
    (failure,) = document["failed"]
    assert failure == {
        "file": files[0],
        "place": "ssh:board",
        "reason": f"board: LiteRT ended with '{files[0]}' (ImportError: not now).",
    }
    assert board.connections.read_text() == "\n\n"
    assert board.left_behind() == []


def test_options() -> None:
    assert [place.name for place in SshOptions(ssh=("a", "pi@b:22")).places()] == [
        "ssh:a",
        "ssh:pi@b:22",
    ]
    with pytest.raises(UsageError, match="--setup needs --ssh"):
        SshOptions(setup=True).places()


def test_malformed_host_is_wrong_usage(
    file: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["benchmark", str(file("float32")), "--ssh", "board:ssh"]) == 2
    assert "--ssh takes [USER@]HOST[:PORT], not 'board:ssh'." in capsys.readouterr().err
