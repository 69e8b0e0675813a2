"""A connection to a board by OpenSSH, with the user's own configuration and keys."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.errors import UsageError

from ....worker import JsonProcess, WorkerError
from ..place import PlaceError
from . import agent, bundle
from .explanation import explain

CONNECT_SECS = 20
START_SECS = 60.0  # for Python to start, which takes seconds on a slow board
ANSWER_SECS = 120.0  # for a request that takes seconds there
BLOCK_BYTES = 2**18

_DESTINATION = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?P<host>\[[^\]\s]+\]|[^:@\[\]\s]+)(?::(?P<port>\d+))?"
)

# Reads the source of `agent` from stdin, and runs it. It has no characters that a shell changes
# between single quotes. `sys.path` begins with the working directory, whose modules must shadow
# nothing.
_BOOTSTRAP = (
    "import sys; sys.path.pop(0); i = sys.stdin.buffer; "
    f"sys.version_info < {bundle.MIN_PYTHON} and "
    'sys.exit("cnn-keras: Python %d.%d" % sys.version_info[:2]); '
    "print(flush=True); "  # ends a line that startup files have begun
    'exec(compile(i.read(int(i.readline())), "agent.py", "exec"))'
)


class Destination(NamedTuple):
    """An account on a board.

    Attributes:
        text: As the user has written it.
        host: `[USER@]HOST`, for `ssh`.
        port: The port; None for that of the user's configuration.
    """

    text: str
    host: str
    port: str | None

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Return the destination in a text.

        Raises:
            UsageError: It is not `[USER@]HOST[:PORT]`.

        Example:
            >>> Destination.parse("pi@board:2222")[1:]
            ('pi@board', '2222')
            >>> Destination.parse("[fe80::1%eth0]:22")[1:]
            ('fe80::1%eth0', '22')
        """
        found = _DESTINATION.fullmatch(text)
        if not found or text.startswith("-"):
            raise UsageError(f"--ssh takes [USER@]HOST[:PORT], not '{text}'.")
        user = f"{found['user']}@" if found["user"] else ""
        return cls(text, user + found["host"].strip("[]"), found["port"])

    @property
    def login(self) -> list[str]:
        """The command that a user runs to log in."""
        return ["ssh", *(["-p", self.port] if self.port else []), self.host]


class Connection(JsonProcess):
    """A connection to a board, on which `agent` answers. Leaving the context ends what runs there.

    Args:
        destination: The account on the board.

    Attributes:
        python: Version of its `python3`.
        copied: Paths of the files there, by hash.

    Raises:
        PlaceError: The board cannot be reached, or has no Python that is new enough.
    """

    def __init__(self, destination: Destination) -> None:
        self.destination = destination
        self.copied: dict[str, str] = {}
        self._connected = False
        self._noise = ""  # what the account's startup files print
        command, host = destination.login[:-1], destination.host
        options = {
            "BatchMode": "yes",  # asks nothing
            "ConnectTimeout": CONNECT_SECS,
            "LogLevel": "ERROR",  # without the board's greeting
            "ServerAliveInterval": 15,  # ends a connection that is dead
        }
        flags = [f"-o{name}={value}" for name, value in options.items()]
        start = f"python3 -c {shlex.quote(_BOOTSTRAP)}"
        try:
            super().__init__([*command, "-T", *flags, "--", host, start], {})
        except FileNotFoundError:
            raise PlaceError(
                "ssh is not installed here. On Debian: apt-get install openssh-client"
            ) from None
        try:
            self.python = self._start_agent()
        except BaseException:
            self.close()
            raise

    def _start_agent(self) -> tuple[int, ...]:
        source = Path(agent.__file__).read_bytes()
        self.write(b"%d\n%b" % (len(source), source))
        while True:
            with self._in_time(CONNECT_SECS + START_SECS) as seconds, self._connection():
                line = self.read_line(seconds)
            if line.startswith(b'{"hello":'):
                break
            self._noise += line.decode(errors="replace") + "\n"
        self._connected = True
        hello = json.loads(line)
        if hello["bits"] != 64:
            raise self.error("its Python is 32-bit, for which LiteRT has no package")
        return tuple(int(part) for part in hello["hello"].split(".")[:2])

    def error(self, reason: str) -> PlaceError:
        """Return an error of this board."""
        return PlaceError(f"{self.destination.text}: {reason.rstrip('.')}.")

    def request(
        self, do: str, arguments: Mapping[str, object], seconds: float = ANSWER_SECS
    ) -> Any:
        """Send a request to `agent` and return the answer.

        Args:
            do: Name of the agent's method.
            arguments: Those of the method.
            seconds: How long it may take.

        Raises:
            PlaceError: It is refused, or the connection is lost.
        """
        self.send({"do": do, **arguments})
        return self._answer(seconds)

    def copy(self, name: str, data: bytes, sha256: str, advance: Callable[[], None]) -> str:
        """Copy a file to the board, where its hash is checked.

        Args:
            name: Its name on the board.
            data: Its content.
            sha256: Its hash.
            advance: Called after each `BLOCK_BYTES`.

        Returns:
            Its path on the board.

        Raises:
            PlaceError: The board has no space for it, the copy differs from the file, or the
                connection is lost.
        """
        self.send({"do": "copy", "name": name, "size_bytes": len(data), "sha256": sha256})
        for start in range(0, len(data), BLOCK_BYTES):
            self.write(data[start : start + BLOCK_BYTES])
            advance()
        path: str = self._answer(ANSWER_SECS)["path"]
        others = {digest: each for digest, each in self.copied.items() if each != path}
        self.copied = {**others, sha256: path}
        return path

    def start(self, python: str, runner: str, module: str, seconds: float) -> None:
        """Start a module on the board, which gets what is sent from now on, and gives the answers.

        Its last answer is the board's state before and after, once it has ended.

        Args:
            python: Path of the Python there.
            runner: Name of the folder in the cache there that holds the module.
            module: The module.
            seconds: How long neither side may write anything.
        """
        request = {"python": python, "runner": runner, "module": module, "seconds": seconds}
        self.send({"do": "run", **request})

    def receive(self, seconds: float) -> Any:
        """Wait for the next answer of the runner and return it; see `JsonProcess.receive`.

        Raises:
            PlaceError: The connection is lost.
            WorkerError: The runner ended with an error.
        """
        with self._connection():
            answer = super().receive(seconds)
        if isinstance(answer, dict):
            if "error" in answer:
                raise self.error(answer["error"])
            if answer.get("ended"):
                raise WorkerError(answer["ended"], answer["stderr"])
        return answer

    def is_open(self) -> bool:
        """Return whether the connection exists, as far as is known here."""
        return self._process.poll() is None

    def end_requests(self) -> None:
        """End the runner's requests; stdin stays open, since its end stops everything there."""
        self.write(agent.END + b"\n")

    def _answer(self, seconds: float) -> Any:
        with self._in_time(seconds):
            return self.receive(seconds)

    @contextmanager
    def _in_time(self, seconds: float) -> Iterator[float]:
        """Turn a TimeoutError into the error for an answer that must come within seconds."""
        try:
            yield seconds
        except TimeoutError:
            raise self.error(f"it does not answer in {seconds:.0f} s") from None

    @contextmanager
    def _connection(self) -> Iterator[None]:
        """Turn the end of `ssh` into an error that explains it."""
        try:
            yield
        except WorkerError as error:
            login = shlex.join(self.destination.login)
            text = self._noise + error.stderr
            reason = explain(self.destination.text, login, error.exit_code, text, self._connected)
            raise PlaceError(reason) from None
