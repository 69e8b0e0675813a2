from __future__ import annotations

import pytest

from export.benchmark.places.board.explanation import explain

# What OpenSSH 9.2 prints with LogLevel=ERROR, and what shells print.
CHANGED = "@@@\n@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\n@@@\n"
MESSAGES = {
    "ssh: Could not resolve hostname board: Name or service not known": "is an unknown host",
    "No ED25519 host key is known for board\nHost key verification failed.": "unknown host key",
    f"{CHANGED}Host key verification failed.": "has another host key than before",
    "pi@board: Permission denied (publickey,password).": "refuses the login",
    "ssh: connect to host board port 22: Connection refused": "refuses the connection",
    "ssh: connect to host board port 22: Connection timed out": "does not answer",
    "ssh: connect to host board port 22: No route to host": "does not answer",
    "/root/.ssh/config: line 1: Bad configuration option: hots": "Bad configuration option: hots",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_ssh_failed(message: str) -> None:
    line = explain("board", "ssh -p 22 board", 255, message, connected=False)
    assert MESSAGES[message] in line
    assert "board" in line
    assert "\n" not in line
    assert line.endswith(".")


def test_command_to_log_in_is_named() -> None:
    line = explain("board", "ssh -p 2222 pi@board", 255, "Permission denied", connected=False)
    assert "'ssh -p 2222 pi@board' must work without a password" in line


@pytest.mark.parametrize(
    "message",
    [
        "sh: 1: python3: not found",  # dash
        "bash: line 1: python3: command not found",
        "zsh:1: command not found: python3",
        "sh: python3: not found",  # busybox
        "fish: Unknown command: python3",
    ],
)
def test_no_python(message: str) -> None:
    line = explain("board", "ssh board", 127, message, connected=False)
    assert line == "board has no python3: install Python 3.9 or later there."


def test_old_python() -> None:
    line = explain("board", "ssh board", 1, "motd\ncnn-keras: Python 3.7", connected=False)
    assert line == "board has Python 3.7 as python3; measuring needs Python 3.9 or later there."


def test_no_shell() -> None:
    text = "This account is currently not available.\n"
    line = explain("board", "ssh board", 1, text, connected=False)
    assert line.startswith("board runs no Python: This account is currently not available.")
    assert "exit code 1" in explain("board", "ssh board", 1, "", connected=False)


def test_lost_connection() -> None:
    text = "Connection to board closed by remote host.\n"
    line = explain("board", "ssh board", 255, text, connected=True)
    assert line == "The connection to board was lost: Connection to board closed by remote host."
