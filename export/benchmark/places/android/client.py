"""Run the program `adb` for one phone, with errors of one line."""

from __future__ import annotations

import os
import re
import secrets
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from ..place import PlaceError

COMMAND_SECS = 60.0  # for a command that takes a moment on a phone
_BYTES_PER_SEC = 1e6  # of the slowest connection
_UNAUTHORIZED = "unlock it and allow debugging by this computer in the dialog that it shows"

# What else `adb devices` reports than "device" (adb, `adb.cpp`, `to_string(ConnectionState)`), and
# what to do about it.
STATES = {
    "unauthorized": f"has not authorized this computer: {_UNAUTHORIZED}",
    "authorizing": f"has not authorized this computer: {_UNAUTHORIZED}",
    "offline": "does not answer: connect it again",
    "connecting": "does not answer: connect it again",
    "bootloader": "is in its bootloader: start Android on it",
    "recovery": "is in recovery mode: start Android on it",
    "sideload": "is in sideload mode: start Android on it",
    "no permissions": "may not be used by this user: see the udev rules in adb's documentation",
}


class Finished(NamedTuple):
    """How a command ended.

    Attributes:
        code: Its exit code.
        stdout: What it wrote to stdout.
        stderr: What it wrote to stderr.
    """

    code: int
    stdout: str
    stderr: str

    @property
    def reason(self) -> str:
        """The last line that it wrote, which tells why it failed."""
        lines = (self.stderr.strip() or self.stdout.strip()).splitlines()
        return lines[-1].strip().rstrip(".") if lines else f"exit code {self.code}"


def devices() -> dict[str, str]:
    """Return the serial numbers of the connected phones, and the state of each.

    Raises:
        PlaceError: `adb` is missing or fails.
    """
    found = _run([_program(), "devices"], COMMAND_SECS, None)
    if found.code:
        raise PlaceError(f"adb devices fails: {found.reason}.")
    # "* daemon not running; starting now" may precede the list.
    _, _, listed = found.stdout.partition("List of devices attached")
    rows = (line.split(None, 1) for line in listed.splitlines())
    return {row[0]: row[1].strip() for row in rows if len(row) == 2}


def choose(serial: str | None) -> str:
    """Return the serial number of the phone to use.

    Args:
        serial: The one that the user names; None for the only phone.

    Raises:
        PlaceError: There is no such phone or more than one, or it is not ready.
    """
    found = devices()
    names = ", ".join(found)
    if serial is None:
        if not found:
            raise PlaceError(
                "No phone is connected: connect one, and allow USB debugging in its developer "
                "options."
            )
        if len(found) > 1:
            raise PlaceError(
                f"{len(found)} phones are connected: {names}. Name one: --adb {next(iter(found))}."
            )
        serial = next(iter(found))
    elif serial not in found:
        raise PlaceError(f"No phone '{serial}' is connected; adb lists {names or 'none'}.")
    state = found[serial]
    if state != "device":
        what = next((text for name, text in STATES.items() if state.startswith(name)), None)
        raise PlaceError(f"The phone {serial} {what or f'is not ready: {state}'}.")
    return serial


class Adb:
    """The connection to one phone.

    Args:
        serial: Its serial number.
    """

    def __init__(self, serial: str) -> None:
        self.serial = serial
        self._command = [_program(), "-s", serial]

    def shell(
        self,
        script: str,
        seconds: float = COMMAND_SECS,
        on_line: Callable[[str], None] | None = None,
    ) -> Finished:
        """Run a script in the shell of the phone.

        Args:
            script: The script.
            seconds: How long it may take.
            on_line: Receives each line of its stdout as it arrives.

        Raises:
            PlaceError: The connection is lost, or the script takes longer.
        """
        # When the connection is lost, `adb shell` ends with exit code 0.
        end = f"end-{secrets.token_hex(4)}"
        command = [*self._command, "shell", f"(\n{script}\n); code=$?; echo; echo {end} $code"]

        def pass_on(line: str) -> None:
            if on_line and line and not line.startswith(end):
                on_line(line)

        found = _run(command, seconds, pass_on, self.serial)
        stdout, marker, code = found.stdout.rpartition(f"\n{end} ")
        if not marker:
            raise self._lost(found)
        return Finished(int(code), stdout.rstrip("\n"), found.stderr)

    def check(self, script: str, seconds: float = COMMAND_SECS) -> str:
        """Run a script that must succeed, and return its stdout.

        Raises:
            PlaceError: It fails, or the connection is lost.
        """
        found = self.shell(script, seconds)
        if found.code:
            raise PlaceError(f"A command fails on the phone {self.serial}: {found.reason}.")
        return found.stdout

    def push(self, files: Sequence[Path], folder: str) -> None:
        """Copy files to a folder of the phone.

        Raises:
            PlaceError: The phone has no space, or the connection is lost.
        """
        names = [str(file) for file in files]
        size = sum(file.stat().st_size for file in files)
        found = _run(
            [*self._command, "push", *names, f"{folder}/"], _seconds(size), None, self.serial
        )
        if found.code:
            raise self._failed(found, f"copy {', '.join(file.name for file in files)} to")

    def pull(self, file: str, to: Path) -> None:
        """Copy a file from the phone.

        Raises:
            PlaceError: There is no such file, or the connection is lost.
        """
        found = _run([*self._command, "pull", file, str(to)], COMMAND_SECS, None, self.serial)
        if found.code:
            raise self._failed(found, f"copy {Path(file).name} from")

    def _failed(self, found: Finished, action: str) -> PlaceError:
        text = found.stderr + found.stdout
        if "No space left on device" in text:
            return PlaceError(
                f"The phone {self.serial} has no space left: cannot {action} it. Delete something."
            )
        if re.search(r"remote|open failed|couldn't create|Permission denied", text):
            return PlaceError(f"Cannot {action} the phone {self.serial}: {found.reason}.")
        return self._lost(found)

    def _lost(self, found: Finished) -> PlaceError:
        state = devices().get(self.serial)
        if state and state != "device" and state != "offline":
            return PlaceError(f"The phone {self.serial} {STATES.get(state, state)}.")
        why = f" ({found.reason})" if found.stderr.strip() else ""
        return PlaceError(
            f"The connection to the phone {self.serial} is lost{why}: connect it again."
        )


def _program() -> str:
    """Return the path of `adb`.

    Raises:
        PlaceError: It is missing.
    """
    folders = [
        os.environ[name] for name in ("ANDROID_HOME", "ANDROID_SDK_ROOT") if name in os.environ
    ]
    paths = os.pathsep.join(
        [
            os.environ.get("PATH", os.defpath),
            *(str(Path(each, "platform-tools")) for each in folders),
        ]
    )
    found = shutil.which("adb", path=paths)
    if not found:
        raise PlaceError(
            "adb is missing. On Debian: apt-get install adb; elsewhere install Android's "
            "platform-tools and add them to PATH."
        )
    return found


def _seconds(size: int) -> float:
    """Return how long a copy of this many bytes may take."""
    return COMMAND_SECS + size / _BYTES_PER_SEC


def _run(
    command: Sequence[str],
    seconds: float,
    on_line: Callable[[str], None] | None,
    serial: str | None = None,
) -> Finished:
    """Run a program to its end.

    Raises:
        PlaceError: It takes longer than this many seconds.
    """
    end = time.monotonic() + seconds
    with tempfile.TemporaryFile() as stderr, _started(command, stderr) as process:
        assert process.stdout
        received, seen = b"", 0
        while True:
            left = max(0.0, end - time.monotonic())
            if not select.select([process.stdout], [], [], left)[0]:
                where = f"The phone {serial}" if serial else "adb"
                raise PlaceError(f"{where} does not answer within {seconds:.0f} s.")
            chunk = os.read(process.stdout.fileno(), 2**16)
            received += chunk
            whole = received.rfind(b"\n") + 1 if chunk else len(received)
            if on_line:
                for line in received[seen:whole].decode(errors="replace").splitlines():
                    on_line(line.strip())
            seen = max(seen, whole)
            if not chunk:
                break
        code = process.wait()
        stderr.seek(0)
        return Finished(code, _text(received), _text(stderr.read()))


def _text(data: bytes) -> str:
    return data.decode(errors="replace").replace("\r\n", "\n")


@contextmanager
def _started(command: Sequence[str], stderr: IO[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program in its own session, so that Ctrl-C ends only this process."""
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()
