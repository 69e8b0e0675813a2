"""The agent's answers, and that it leaves nothing behind."""

from __future__ import annotations

import hashlib
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from export.benchmark.places.board import agent
from export.worker import JsonProcess, WorkerError

ECHO = """
import sys
for line in sys.stdin:
    if line == '"fail"\\n':
        sys.exit("failed")
    sys.stdout.write(line)
    sys.stdout.flush()
print('"bye"')
"""
MACHINE = """
from typing import NamedTuple
class Host(NamedTuple):
    cpu: str
def host():
    return Host("a CPU")
"""
FILES = {"cnn_keras/machine.py": MACHINE, "echo.py": ECHO}


class Agent(JsonProcess):
    """An agent that has said hello, in a home folder of its own."""

    def __init__(self, home: Path) -> None:
        self.temporary = home / "tmp"
        self.temporary.mkdir(exist_ok=True)
        self.cache = home / ".cache" / "cnn-keras"
        environment = {"HOME": str(home), "TMPDIR": str(self.temporary)}
        super().__init__([sys.executable, agent.__file__], environment)
        assert set(self.receive(30)) == {"hello", "bits"}

    def ask(self, do: str, **arguments: object) -> Any:
        self.send({"do": do, **arguments})
        return self.receive(30)

    def copy(self, name: str, data: bytes, sha256: str = "") -> Any:
        expected = sha256 or hashlib.sha256(data).hexdigest()
        self.send({"do": "copy", "name": name, "size_bytes": len(data), "sha256": expected})
        self.write(data)
        return self.receive(30)

    def run(self) -> None:
        assert self.ask("install", runner="runner", files=FILES) is None
        request = {"python": sys.executable, "runner": "runner", "module": "echo", "seconds": 30}
        self.send({"do": "run", **request})

    def expect_end(self) -> None:
        with pytest.raises(WorkerError):
            self.receive(30)
        assert list(self.temporary.iterdir()) == []


@pytest.fixture
def connected(tmp_path: Path) -> Iterator[Agent]:
    with Agent(tmp_path) as process:
        yield process


def test_description(connected: Agent) -> None:
    asked = {"runner": "runner", "environment": "python", "packages": ["numpy", "no-such-package"]}
    found = connected.ask("describe", **asked)
    assert found["python"] == sys.executable
    assert set(found["versions"]) == {"python", "numpy"}
    assert (found["runner"], found["environment"]) == (False, False)
    connected.ask("install", runner="runner", files=FILES)
    assert connected.ask("describe", **asked)["runner"]


def test_runner_is_installed_whole_and_once(connected: Agent) -> None:
    for _ in range(2):
        assert connected.ask("install", runner="runner", files=FILES) is None
    assert list(connected.cache.iterdir()) == [connected.cache / "runner"]
    assert (connected.cache / "runner" / "echo.py").read_text() == ECHO


def test_files_are_deleted_when_stdin_ends(connected: Agent) -> None:
    path = Path(connected.copy("model.tflite", b"TFL3" * 100_000)["path"])
    assert path.read_bytes() == b"TFL3" * 100_000
    connected._process.stdin.close()
    connected.expect_end()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_files_are_deleted_after_a_signal(number: signal.Signals, connected: Agent) -> None:
    connected.copy("model.tflite", b"data")
    connected._process.send_signal(number)
    connected.expect_end()


def test_connection_that_ends_within_a_file(connected: Agent) -> None:
    connected.send({"do": "copy", "name": "model.tflite", "size_bytes": 100, "sha256": ""})
    connected.write(b"data")
    connected._process.stdin.close()
    connected.expect_end()


def test_copy_that_differs_is_refused(connected: Agent) -> None:
    answer = connected.copy("model.tflite", b"data", hashlib.sha256(b"other").hexdigest())
    assert answer == {"error": "the copy differs from the file (SHA-256)"}
    connected.expect_end()


def test_full_disk_is_refused(connected: Agent) -> None:
    answer = connected.copy("/dev/full", b"data")
    assert answer == {"error": "cannot write /dev/full: No space left on device"}
    connected.expect_end()


def test_cache_that_cannot_be_written_is_refused(connected: Agent) -> None:
    connected.cache.parent.write_text("a file")
    answer = connected.ask("install", runner="runner", files=FILES)
    assert answer["error"].startswith(f"cannot write {connected.cache}/runner: ")
    connected.expect_end()


def test_missing_temporary_folder_is_refused(tmp_path: Path) -> None:
    """As root, no folder is read-only but those of the kernel."""
    code = (
        "import runpy, tempfile; tempfile._candidate_tempdir_list = lambda: ['/proc'];"
        f"runpy.run_path({agent.__file__!r}, run_name='__main__')"
    )
    with JsonProcess([sys.executable, "-c", code], {"HOME": str(tmp_path)}) as process:
        assert process.receive(30)["error"].startswith("cannot write a temporary folder: ")


def test_setup_without_venv_names_the_package(tmp_path: Path) -> None:
    """Debian has a package of its own for `venv`; this is what Python prints without it."""
    python = tmp_path / "python3"
    python.write_text(
        "#!/bin/sh\n"
        "echo 'The virtual environment was not created successfully because ensurepip is not'\n"
        "echo; echo '    apt install python3.11-venv'; echo\n"
        "echo 'Failing command: /home/pi/x/bin/python3'\n"
        "exit 1\n"
    )
    python.chmod(0o755)
    code = (
        f"import runpy, sys; sys.executable = {str(python)!r};"
        f"runpy.run_path({agent.__file__!r}, run_name='__main__')"
    )
    with JsonProcess([sys.executable, "-c", code], {"HOME": str(tmp_path)}) as process:
        process.receive(30)
        process.send({"do": "setup", "environment": "python", "requirements": ["numpy"]})
        assert process.receive(30) == {"error": "run there first: apt install python3.11-venv"}
    assert list((tmp_path / ".cache" / "cnn-keras").iterdir()) == []


def test_module_gets_the_lines_and_its_end_is_described(connected: Agent) -> None:
    connected.run()
    connected.write(b"1\n2\n")  # both may come at once, and the module answers both
    assert [connected.receive(30), connected.receive(30)] == [1, 2]
    connected.write(agent.END + b"\n")
    assert connected.receive(30) == "bye"
    ended = connected.receive(30)
    assert (ended["ended"], ended["stderr"], ended["host"]) == (0, "", {"cpu": "a CPU"})
    assert set(ended["before"]) == set(ended["after"]) == {"temperature_celsius"}
    assert connected.copy("next", b"data")["path"]  # the connection is still there


def test_module_that_fails(connected: Agent) -> None:
    connected.run()
    connected.send("fail")
    ended = connected.receive(30)
    assert (ended["ended"], ended["stderr"]) == (1, "failed\n")


def test_end_of_the_connection_ends_the_module(connected: Agent) -> None:
    connected.run()
    connected.send(1)
    assert connected.receive(30) == 1
    children = Path(f"/proc/{connected._process.pid}/task/{connected._process.pid}/children")
    (child,) = children.read_text(encoding="utf-8").split()
    connected._process.stdin.close()
    connected.expect_end()
    assert not Path("/proc", child).exists()


def test_silence_ends_the_module(connected: Agent) -> None:
    assert connected.ask("install", runner="runner", files=FILES) is None
    request = {"python": sys.executable, "runner": "runner", "module": "echo", "seconds": 0.1}
    start = time.monotonic()
    connected.send({"do": "run", **request})
    connected.expect_end()
    assert time.monotonic() - start < 20
