"""Python subprocesses that answer requests, one line of JSON each.

The one way in which this package runs code in another process. `Worker` is the parent's side;
`serve` is the side of the module that the subprocess runs, which also answers a person.
`JsonProcess` is the parent's side of any program that answers so, for example of `ssh`. This module
needs only the standard library, and also runs on a board, with Python 3.9.

A subprocess is a new interpreter: TensorFlow's threads do not survive a fork, and a process of
`multiprocessing` or `concurrent.futures` first runs the caller's script again.
"""

from __future__ import annotations

import json
import os
import resource
import select
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing import Self  # novm (only mypy imports it)

Session = Callable[[Iterator[Any], Callable[[object], None]], None]
"""Takes the requests and a function that sends an answer."""


class WorkerError(Exception):
    """A worker ended before it answered.

    Attributes:
        exit_code: Its exit code; below 0, the number of the signal that ended it.
        stderr: What it wrote to stderr.
    """

    def __init__(self, exit_code: int, stderr: str) -> None:
        super().__init__(f"The worker ended with exit code {exit_code}.")
        self.exit_code = exit_code
        self.stderr = stderr

    @property
    def last_line(self) -> str:
        """The last line that it wrote to stderr, which is the message of an exception."""
        return (self.stderr.strip().splitlines() or [""])[-1]


class JsonProcess:
    """A subprocess that answers requests. Leaving the context kills it.

    Args:
        command: The program and its arguments.
        environment: Variables that are set besides those of this process.
    """

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str]) -> None:
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        try:
            self._process = subprocess.Popen(
                command,
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
            )
        except OSError:
            self._stderr.close()
            raise
        self._received = b""

    def send(self, request: object) -> None:
        """Send a request."""
        self.write(json.dumps(request).encode() + b"\n")

    def write(self, data: bytes) -> None:
        """Write to the process."""
        assert self._process.stdin
        with suppress(BrokenPipeError):  # the process has ended, and `receive` reports it
            self._process.stdin.write(data)
            self._process.stdin.flush()

    def receive(self, seconds: float) -> Any:
        """Wait for the next answer and return it.

        Args:
            seconds: How long the worker may write nothing.

        Raises:
            TimeoutError: It wrote nothing for longer.
            WorkerError: It ended.
        """
        return json.loads(self.read_line(seconds))

    def read_line(self, seconds: float) -> bytes:
        """Wait for the next line and return it; see `receive`."""
        assert self._process.stdout
        stdout = self._process.stdout.fileno()
        while b"\n" not in self._received:
            if not select.select([stdout], [], [], seconds)[0]:
                raise TimeoutError
            if not (chunk := os.read(stdout, 2**16)):
                exit_code = self._process.wait()
                self._stderr.seek(0)
                raise WorkerError(exit_code, self._stderr.read().decode(errors="replace"))
            self._received += chunk
        line, _, self._received = self._received.partition(b"\n")
        return line

    def end_requests(self) -> None:
        """Close the worker's stdin, so that its session ends."""
        self._close_stdin()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Kill the process and close its pipes."""
        self._process.kill()
        self._process.wait()
        self._close_stdin()
        assert self._process.stdout
        self._process.stdout.close()
        self._stderr.close()

    def _close_stdin(self) -> None:
        assert self._process.stdin
        with suppress(BrokenPipeError):
            self._process.stdin.close()


class Worker(JsonProcess):
    """A fresh Python subprocess that runs a module and answers requests.

    Between requests it sleeps in a read, so that several workers can be used alternately without
    disturbing each other.

    Args:
        module: Full name of a module that calls `serve` when it is run.
        python: Another Python, which finds its own packages and this one; the module is of this
            package. By default it is the Python of this process.

    Example:
        with Worker("export.benchmark.runner") as worker:
            worker.send({"file": "lenet5.tflite"})
            worker.receive(seconds=60)  # "ready"
    """

    def __init__(self, module: str, python: Path | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory()
        # Packages are found where this process finds them, but not in the working directory unless
        # this process looks there (-P): a user's `random.py` would shadow Python's.
        paths = sys.path
        if python is not None:
            package = Path(__file__).resolve().parent
            Path(self._folder.name, __name__.partition(".")[0]).symlink_to(package)
            paths = [self._folder.name]
        environment = {
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, paths)),
            "PYTHONIOENCODING": "utf-8:backslashreplace",  # in every locale
        }
        super().__init__([python or sys.executable, "-P", "-m", module], environment)

    def close(self) -> None:
        """Kill the process, close its pipes and delete its folder."""
        super().close()
        self._folder.cleanup()


def serve(session: Session) -> int:
    """Run the subprocess's side: pass the requests on stdin to a session, until stdin ends.

    What libraries print to stdout goes to stderr, and an exception that has an `exit_code` ends the
    session with its message as one line there.

    Args:
        session: Answers the requests, in order.

    Returns:
        The exit code of the process.
    """
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)

        def answer(value: object) -> None:
            answers.write(json.dumps(value) + "\n")
            answers.flush()

        try:
            session(map(json.loads, sys.stdin), answer)
        except Exception as error:
            if not hasattr(error, "exit_code"):
                raise
            sys.stderr.write(f"{error}\n")
            return int(error.exit_code)
    return 0


def limit_memory() -> None:
    """Limit this process to the machine's memory, and let it leave no core file when it crashes.

    A file that asks for more then fails where it asks. Where the system runs out of memory earlier,
    as in a container, it ends this process first.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for kind, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CORE, 0)):
        soft, hard = resource.getrlimit(kind)
        limits = [limit for limit in (soft, hard, most) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(kind, (min(limits), hard))
    with suppress(OSError):  # only Linux has it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")


def memory_mb() -> tuple[float, float]:
    """Return the resident memory of this process now and at its peak, in MiB.

    On Linux `ru_maxrss` includes the peak of the parent process (fs/exec.c keeps the old memory
    map's high-water mark), so a parent that has imported TensorFlow would add its 600 MB; `VmHWM`
    counts this program alone. Other systems have only `ru_maxrss`.
    """
    status = Path("/proc/self/status")
    if status.exists():
        kib = {
            key: int(rest.split()[0])
            for key, _, rest in (
                line.partition(":")
                for line in status.read_text(encoding="utf-8", errors="replace").splitlines()
            )
            if key in ("VmRSS", "VmHWM")
        }
        return kib["VmRSS"] / 1024, kib["VmHWM"] / 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS counts bytes
    return peak, peak
