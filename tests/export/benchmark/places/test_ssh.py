from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["place"], row["num_threads"]) for row in rows] == [
        *(("local", 1), ("local", 2)),
        *(("ssh:board", 1), ("ssh:board", 2)),
    ]
    assert all(row["digest"]["equal"] for row in rows)
    assert {row["file"] for row in rows} == {command[1]}
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
