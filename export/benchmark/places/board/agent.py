"""The program that `connection` starts on a board: it takes files, and runs the runner on them.

It is sent as text to the board's `python3`, and needs only the standard library of Python 3.9. It
reads JSON lines from stdin and answers each with a JSON line on stdout, as `export.worker` does.
The bytes of a file follow its request. The request `run` starts the runner, which gets the lines
from then on.

When stdin ends, because the connection is lost or the other side was interrupted, it ends what it
has started and deletes the files that it has got. Only the cached runner stays.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

CACHE = Path("~/.cache/cnn-keras")
IDLE_SECS = 900.0  # without a request; the other side is gone, but the connection does not end
END = b"end"  # the line that ends the runner's requests

_INSTALLED = """
import json, platform
from importlib.metadata import PackageNotFoundError, version
found = {"python": platform.python_version()}
for package in %r:
    try:
        found[package] = version(package)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""
_MAX_CHARACTERS = 20_000  # of what a program writes to stderr


class RefusedError(Exception):
    """A request that cannot be answered; the message is one line."""


class DisconnectedError(Exception):
    """Stdin has ended, or nothing came for too long."""


class Input:
    """Stdin, in lines and blocks."""

    def __init__(self) -> None:
        self._received = b""

    def line(self, seconds: float = IDLE_SECS) -> bytes:
        """Return the next line, without its end."""
        while b"\n" not in self._received:
            self._received += self._read(seconds)
        line, _, self._received = self._received.partition(b"\n")
        return line

    def has_line(self) -> bool:
        """Return whether a line has come already."""
        return b"\n" in self._received

    def blocks(self, size: int) -> Iterator[bytes]:
        """Yield the next bytes, in blocks."""
        while size:
            block = self._received or self._read(IDLE_SECS)
            block, self._received = block[:size], block[size:]
            size -= len(block)
            yield block

    def _read(self, seconds: float) -> bytes:
        if not select.select([0], [], [], seconds)[0]:
            raise DisconnectedError
        if not (block := os.read(0, 2**16)):
            raise DisconnectedError
        return block


class Agent:
    """Answers the requests, each by the method of its name.

    Attributes:
        folder: Holds the files of this connection.
        cache: Holds runners and virtual environments.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.cache = CACHE.expanduser()
        self._input = Input()

    def answer_requests(self) -> None:
        """Answer until stdin ends."""
        _answer({"hello": platform.python_version(), "bits": 64 if sys.maxsize > 2**32 else 32})
        while True:
            request = json.loads(self._input.line())
            _answer(getattr(self, request.pop("do"))(**request))

    def describe(self, runner: str, environment: str, packages: list[str]) -> dict[str, Any]:
        """Say what is here.

        Args:
            runner: Name of the runner's folder in the cache.
            environment: Name of the virtual environment in the cache.
            packages: Packages whose versions are looked up.
        """
        environment_python = self.cache / environment / "bin" / "python"
        exists = environment_python.exists()
        python = environment_python if exists else Path(sys.executable)
        found = subprocess.run(
            [str(python), "-c", _INSTALLED % (packages,)],
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            check=True,
        )
        return {
            "python": str(python),
            "environment": exists,
            "versions": json.loads(found.stdout),
            "runner": (self.cache / runner).is_dir(),
        }

    def install(self, runner: str, files: dict[str, str]) -> None:
        """Write the runner into the cache, whole or not at all.

        Args:
            runner: Name of its folder.
            files: Source texts by path.
        """
        path = self.cache / runner
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".", dir=self.cache))
            try:
                for name, text in files.items():
                    (temporary / name).parent.mkdir(parents=True, exist_ok=True)
                    (temporary / name).write_text(text, encoding="utf-8")
                _move(temporary, path)
            finally:
                shutil.rmtree(temporary, ignore_errors=True)
        except OSError as error:
            raise _not_written(path, error) from error

    def setup(self, environment: str, requirements: list[str]) -> None:
        """Make a virtual environment in the cache, whole or not at all.

        Args:
            environment: Its name.
            requirements: What pip installs in it.
        """
        path = self.cache / environment
        try:
            self.cache.mkdir(parents=True, exist_ok=True)
            temporary = Path(tempfile.mkdtemp(prefix=".", dir=self.cache))
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            self._call([sys.executable, "-m", "venv", str(temporary)])
            pip = [str(temporary / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
            options = ["--quiet", "--no-input", "--only-binary=:all:"]  # compiling takes hours
            self._call([*pip, "install", *options, *requirements])
            _move(temporary, path)  # its Python finds its packages from where it is
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def copy(self, name: str, size_bytes: int, sha256: str) -> dict[str, str]:
        """Take a file, whose bytes follow, and check what is on the disk.

        Args:
            name: Its name in the folder of this connection.
            size_bytes: Its size.
            sha256: Its hash.
        """
        path = self.folder / name
        try:
            with path.open("wb") as file:
                for block in self._input.blocks(size_bytes):
                    file.write(block)
            digest = hashlib.sha256()
            with path.open("rb") as file:
                while block := file.read(2**20):
                    digest.update(block)
        except OSError as error:
            raise _not_written(path, error) from error
        if digest.hexdigest() != sha256:
            raise RefusedError("the copy differs from the file (SHA-256)")
        return {"path": str(path)}

    def run(self, python: str, runner: str, module: str, seconds: float) -> dict[str, Any]:
        """Run a module of the runner on the lines that follow, and describe the board.

        Args:
            python: The Python that runs it.
            runner: Name of the runner's folder in the cache.
            module: The module.
            seconds: How long neither side may write anything.

        Returns:
            How it ended, and the state of the board before and after.
        """
        sys.path.insert(0, str(self.cache / runner))
        from cnn_keras.machine import host

        machine, before = host()._asdict(), state()
        exit_code, stderr = self._run_module(python, module, seconds)
        return {
            "ended": exit_code,
            "stderr": stderr,
            "host": machine,
            "before": before,
            "after": state(),
        }

    def _run_module(self, python: str, module: str, seconds: float) -> tuple[int, str]:
        """Pass lines to the module and its answers back; return its exit code and stderr."""
        paths = [sys.path[0], *filter(None, [os.environ.get("PYTHONPATH")])]
        variables = {"PYTHONPATH": os.pathsep.join(paths), "PYTHONIOENCODING": "utf-8"}
        with tempfile.TemporaryFile(dir=self.folder) as stderr:
            process = subprocess.Popen(
                [python, "-m", module],
                cwd=self.folder,
                env={**os.environ, **variables},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
            )
            assert process.stdin
            assert process.stdout
            try:
                while True:
                    while self._input.has_line():
                        self._pass_line(process)
                    output = process.stdout.fileno()
                    ready, _, _ = select.select([0, output], [], [], seconds)
                    if not ready:
                        raise DisconnectedError
                    if output in ready:
                        if not (block := os.read(output, 2**16)):
                            break
                        _write(block)
                    if 0 in ready:
                        self._pass_line(process)
                process.wait()
            finally:
                process.kill()
                process.wait()
                process.stdout.close()
                with suppress(BrokenPipeError):
                    process.stdin.close()
            stderr.seek(0)
            return process.returncode, stderr.read().decode(errors="replace")[-_MAX_CHARACTERS:]

    def _pass_line(self, process: subprocess.Popen[bytes]) -> None:
        line = self._input.line()
        assert process.stdin
        with suppress(BrokenPipeError):  # it has ended, and its stdout says so
            if line == END:
                process.stdin.close()
            else:
                process.stdin.write(line + b"\n")
                process.stdin.flush()

    def _call(self, command: list[str]) -> None:
        """Run a program to its end, or to that of the connection.

        Raises:
            RefusedError: It failed; the message is the package that it asks for, as Debian's `venv`
                does, or its last line.
        """
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    if select.select([0], [], [], 0.2)[0]:  # only its end comes here
                        raise DisconnectedError
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            if process.returncode:
                output.seek(0)
                lines = output.read().decode(errors="replace").strip().splitlines() or [""]
                for line in lines:
                    if line.strip().startswith("apt "):
                        raise RefusedError(f"run there first: {line.strip()}")
                raise RefusedError(lines[-1].strip())


def state() -> dict[str, float | None]:
    """Return the highest temperature in °C of the thermal zones; None if there are none."""
    found = []
    for path in Path("/sys/class/thermal").glob("thermal_zone*/temp"):
        with suppress(OSError, ValueError):
            found.append(int(path.read_text(encoding="utf-8")) / 1000)
    temperature = max((celsius for celsius in found if 0 < celsius < 150), default=None)
    return {"temperature_celsius": temperature}


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    try:
        folder = Path(tempfile.mkdtemp(prefix="cnn-keras-"))
    except OSError as error:
        raise _not_written(Path("a temporary folder"), error) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _move(folder: Path, path: Path) -> None:
    """Rename a folder, unless another connection has made it meanwhile."""
    try:
        folder.rename(path)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise


def _not_written(path: Path, error: OSError) -> RefusedError:
    return RefusedError(f"cannot write {path}: {error.strerror}")


def _write(data: bytes) -> None:
    while data:
        data = data[os.write(1, data) :]


def _answer(value: object) -> None:
    _write(json.dumps(value).encode() + b"\n")


def main() -> int:
    """Answer the requests on stdin, and delete the files that came with them."""

    def end(number: int, frame: FrameType | None) -> None:
        for each in signals:
            signal.signal(each, signal.SIG_IGN)  # a second one must not interrupt the cleanup
        raise DisconnectedError

    signals = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)
    for each in signals:
        signal.signal(each, end)
    try:
        with _temporary_folder() as folder:
            Agent(folder).answer_requests()
    except RefusedError as refusal:
        with suppress(BrokenPipeError):
            _answer({"error": str(refusal)})
    except (DisconnectedError, BrokenPipeError):
        pass
    return 1


if __name__ == "__main__":
    sys.exit(main())
