"""A process that trains together with others, started and watched by its supervisor."""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NamedTuple

from ...command import Outcome, interruption, terminable
from ...errors import keras_reason
from .cluster import Cluster
from .link import BEAT

# How errors of XLA begin. A collective operation fails in all processes if one of them ends.
_STATUS = re.compile("(ABORTED|CANCELLED|DEADLINE_EXCEEDED|INTERNAL|UNAVAILABLE|UNKNOWN): ")


class Work(NamedTuple):
    """What a worker does.

    Attributes:
        start: Imports packages. Meanwhile the worker sends no heartbeats.
        train: Trains: takes the processes, the address of JAX's coordinator, and a temporary
            folder.
    """

    start: Callable[[], None]
    train: Callable[[Cluster, str, Path], Outcome]


class Report(NamedTuple):
    """How a worker has ended.

    Attributes:
        outcome: The result; None if it has failed.
        line: Why it has failed.
        exit_code: Exit code of the failure.
        is_cause: Whether the failure is its own, not perhaps one of another process.
        details: The full message of a library.
    """

    outcome: Outcome | None
    line: str = ""
    exit_code: int = 1
    is_cause: bool = True
    details: str = ""

    @property
    def is_interrupted(self) -> bool:
        """Whether a signal has ended the process before it trained."""
        return self.exit_code > 128


def run_worker(
    work: Work, cluster: Cluster, coordinator: str, folder: Path, connection: Connection
) -> None:
    """Train, and report the result; the process ends with this.

    Args:
        work: What to do.
        cluster: The processes.
        coordinator: Address of JAX's coordinator.
        folder: A temporary folder, in which `output.txt` takes the output of libraries.
        connection: To the supervisor.
    """
    os.setsid()  # Ctrl-C reaches the supervisor alone, which passes it on
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _redirect_output(folder / "output.txt", keep_stderr=cluster.process == 0)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    lock = threading.Lock()

    def run() -> Outcome:
        work.start()
        threading.Thread(target=_beat, args=(connection, lock), daemon=True).start()
        return work.train(cluster, coordinator, folder)

    report = _report(run)
    with lock:
        connection.send(report)
    os._exit(0)  # the threads of JAX, which may wait for a process that has ended


def _report(run: Callable[[], Outcome]) -> Report:
    """Return how something has ended."""
    try:
        with terminable():
            return Report(run())
    except KeyboardInterrupt as error:
        how, exit_code = interruption(error)
        return Report(None, f"was {how} before it trained", exit_code)
    except Exception as error:
        if isinstance(error, OSError) or hasattr(error, "exit_code"):
            details = getattr(error, "details", "")
            return Report(None, str(error), getattr(error, "exit_code", 1), details=details)
        line = f"{type(error).__name__}: {keras_reason(error)}"
        details = "".join(traceback.format_exception(error))
        return Report(None, line, is_cause=not _STATUS.match(str(error)), details=details)


def _redirect_output(path: Path, *, keep_stderr: bool) -> None:
    """Write the output of libraries to a file; Python's own messages may stay on stderr."""
    stderr = os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for descriptor in (1, 2):
        os.dup2(file, descriptor)
    if keep_stderr:
        sys.stderr = io.TextIOWrapper(
            os.fdopen(stderr, "wb", 0),
            encoding="utf-8",
            errors="backslashreplace",
            write_through=True,
        )


def _beat(connection: Connection, lock: threading.Lock) -> None:
    """Let the supervisor know that this process is not stopped."""
    while True:
        with lock:
            connection.send(None)
        time.sleep(BEAT)


def _end_with_parent() -> None:
    """End this process when its supervisor ends, also if that is killed."""
    parent = parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
