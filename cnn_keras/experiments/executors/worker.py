"""The subprocess of one training: reads a `Request` from stdin, writes an `Answer` to stdout.

It saves the training and ends when its stdin is closed, also because its parent was killed.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from typing import NamedTuple

from ...command import interruption, log, terminable
from .executor import Task, train_task


class Request(NamedTuple):
    """What a worker trains.

    Attributes:
        task: The training.
        threads: Number of threads, see `threads.set_threads`.
    """

    task: Task
    threads: int


def main() -> int:
    """Answer one request, and return the exit code."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print to stdout
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles Ctrl-C
    task, threads = pickle.load(sys.stdin.buffer)
    try:
        with terminable():
            threading.Thread(target=_end_with_parent, daemon=True).start()
            answer = train_task(task, threads)
    except KeyboardInterrupt as error:
        how, exit_code = interruption(error)
        log(f"{how.capitalize()}; the same command resumes it {error}".rstrip() + ".")
        return exit_code
    with answers:
        pickle.dump(answer, answers)
    return 0


def _end_with_parent() -> None:
    """Terminate this process as soon as its parent closes stdin."""
    os.read(0, 1)  # a thread in `sys.stdin` would disturb the end of the interpreter
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
