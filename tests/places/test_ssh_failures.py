"""What ends a measurement over SSH: one line each, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cnn_keras.training.hosts.link import free_port
from export.benchmark.places.board import connection
from export.cli import main
from tests.places.sshd import Server, left_behind, write_program

pytestmark = pytest.mark.places

FILE = Path(__file__).parents[2] / (
    "android_demo/app/src/main/assets/models/lenet5_mnist_static_wi8_ai8.tflite"
)
PYTHON = f'exec {sys.executable} "$@"'
SHELL = 'exec sh -c "$SSH_ORIGINAL_COMMAND"'

# Passes stdin on, but for what `change` makes of the block that holds the file.
CHANGED = """
import os
def change(data, at):
    {change}
while data := os.read(0, 2**20):
    at = data.find(b"\\0TFL3")
    os.write(1, data if at < 0 else change(data, at))
"""


@pytest.fixture
def account(ssh_server: Server, tmp_path: Path) -> Callable[..., Path]:
    """Add an account with a Python, which is called like the test's folder."""

    def add(shell: str = SHELL, python: str = PYTHON) -> Path:
        home = ssh_server.add_account(tmp_path.name, shell)
        write_program(home / "bin" / "python3", python)
        return home

    return add


@pytest.fixture
def refusal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """Return the line with which the command ends, and nothing is timed or written."""

    def run() -> str:
        out = tmp_path / "rows.jsonl"
        assert main(["benchmark", str(FILE), "--ssh", tmp_path.name, "--out", str(out)]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert not any("time the inferences" in line for line in lines)
        assert not out.exists()
        assert tmp_path.name in lines[-1]
        return lines[-1]

    return run


@contextmanager
def mounted(folder: Path, size: str) -> Iterator[None]:
    """Mount a file system of a size on a folder."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


@contextmanager
def silent_server() -> Iterator[int]:
    """Listen on a port, without an answer."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_unknown_host(ssh_server: Server, tmp_path: Path, refusal: Callable[[], str]) -> None:
    ssh_server.configure(tmp_path.name, HostName="board.invalid")
    assert "is an unknown host: its name cannot be resolved" in refusal()


def test_unknown_host_key(ssh_server: Server, tmp_path: Path, refusal: Callable[[], str]) -> None:
    ssh_server.make_key(tmp_path.name)
    ssh_server.configure(tmp_path.name, UserKnownHostsFile=tmp_path / "none")
    assert f"has an unknown host key: run 'ssh {tmp_path.name}' once" in refusal()
    assert not (tmp_path / "none").exists()


def test_changed_host_key(ssh_server: Server, tmp_path: Path, refusal: Callable[[], str]) -> None:
    other = (ssh_server.folder / "other_host.pub").read_text()
    (tmp_path / "known_hosts").write_text(f"[127.0.0.1]:{ssh_server.port} {other}")
    ssh_server.make_key(tmp_path.name)
    ssh_server.configure(tmp_path.name, UserKnownHostsFile=tmp_path / "known_hosts")
    assert "has another host key than before" in refusal()


def test_refused_key(ssh_server: Server, tmp_path: Path, refusal: Callable[[], str]) -> None:
    ssh_server.make_key(tmp_path.name)  # no account has it
    ssh_server.configure(tmp_path.name)
    assert f"refuses the login. 'ssh {tmp_path.name}' must work without a password" in refusal()


def test_no_server(ssh_server: Server, tmp_path: Path, refusal: Callable[[], str]) -> None:
    ssh_server.configure(tmp_path.name, Port=free_port())
    assert "refuses the connection: no SSH server listens at this port" in refusal()


def test_no_answer(
    ssh_server: Server,
    tmp_path: Path,
    refusal: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connection, "CONNECT_SECS", 1)
    with silent_server() as port:
        ssh_server.configure(tmp_path.name, Port=port)
        assert "does not answer: check that it is on, and in this network" in refusal()


def test_no_shell(account: Callable[..., Path], refusal: Callable[[], str]) -> None:
    account("echo This account is currently not available.; exit 1")
    assert "runs no Python: This account is currently not available." in refusal()


def test_no_python(account: Callable[..., Path], refusal: Callable[[], str]) -> None:
    account(f"PATH=/nowhere; export PATH; {SHELL.replace('sh', '/bin/sh', 1)}")
    assert "has no python3: install Python 3.9 or later there." in refusal()


def test_missing_packages(account: Callable[..., Path], refusal: Callable[[], str]) -> None:
    home = account(python=f'exec {sys._base_executable} -I "$@"')
    line = refusal()
    assert "has no ai-edge-litert and no numpy. Run there: python3 -m pip install" in line
    assert not (home / ".cache").exists()
    assert left_behind(home) == []


def test_packages_that_cannot_be_installed(
    account: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    offline = "export PIP_NO_INDEX=1 PIP_FIND_LINKS= PIP_CONFIG_FILE=/dev/null"
    home = account(f"{offline}\n{SHELL}", f'exec {sys._base_executable} -s "$@"')
    assert main(["benchmark", str(FILE), "--ssh", tmp_path.name, "--setup"]) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert f"{tmp_path.name}: ERROR: No matching distribution found for ai-edge-litert" in line
    assert list((home / ".cache" / "cnn-keras").iterdir()) == []
    assert left_behind(home) == []


@pytest.mark.parametrize("folder", ["tmp", ".cache"])
def test_full_disk(folder: str, account: Callable[..., Path], refusal: Callable[[], str]) -> None:
    home = account()
    (home / folder).mkdir(exist_ok=True)
    with mounted(home / folder, "36k"):
        line = refusal()
        assert f"cannot write {home}/{folder}" in line
        assert line.endswith("No space left on device.")
        assert left_behind(home) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("return data[:-1] + bytes([data[-1] ^ 1])", "the copy differs from the file (SHA-256)"),
        ("os.write(1, data[: at + 1000]); raise SystemExit", "The connection to"),
    ],
    ids=["damaged", "truncated"],
)
def test_file_that_changes_in_transit(
    change: str, reason: str, account: Callable[..., Path], refusal: Callable[[], str]
) -> None:
    # The shell waits for the program that answers, as it ends when its stdin does.
    home = account('python3 "$HOME/changed.py" | sh -c "$SSH_ORIGINAL_COMMAND"')
    (home / "changed.py").write_text(CHANGED.format(change=change))
    assert reason in refusal()
    assert left_behind(home) == []


@contextmanager
def timing(name: str) -> Iterator[subprocess.Popen[str]]:
    """Start the command, and wait until it times the file."""
    command = [sys.executable, "-m", "export", "benchmark", str(FILE), "--ssh", name]
    with subprocess.Popen(
        [*command, "--min-secs", "60", "--out", os.devnull],
        cwd=Path(__file__).parents[2],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if "time the inferences" in line:
                break
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption(number: signal.Signals, account: Callable[..., Path]) -> None:
    home = account()
    with timing(home.name) as process:
        process.send_signal(number)
        assert process.stderr
        assert process.stderr.read().count("\n") == 1
        assert process.wait() == 128 + number
    assert left_behind(home) == []


def test_killed_connection(account: Callable[..., Path], ssh_server: Server) -> None:
    home = account()
    with timing(home.name) as process:
        ssh_server.end_connections()
        assert process.stderr
        line = process.stderr.read()
        assert f"The connection to {home.name} was lost: " in line
        assert line.count("\n") == 1
        assert process.wait() == 1
    assert left_behind(home) == []
