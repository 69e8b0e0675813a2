"""Call a function that lets LiteRT read a file, in a subprocess.

Native code trusts a file more than a command line may: one changed byte can end the process by a
signal, keep it busy forever or make it ask for all memory. In a subprocess only the subprocess
ends, and the command reports in one line what is wrong with the file. The subprocess imports what
the function needs, never TensorFlow.
"""

from __future__ import annotations

import pickle
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from ..worker import Worker, WorkerError, limit_memory, serve
from .crash_message import TIMEOUT_SECS, exit_error, memory_error, timeout_error

PACKAGE = __package__.rpartition(".")[0]

# Arguments and result, pickled, in a temporary folder: images can be large.
_ARGUMENTS, _RESULT = "arguments.pickle", "result.pickle"
_PROGRESS = "progress"


def call(
    target: str,
    *arguments: Any,
    file: str | Path,
    advance: Callable[[], None] | None = None,
    seconds: float = TIMEOUT_SECS,
) -> Any:
    """Call a function of this package in a subprocess.

    Args:
        target: Module and function, for example ``"verification.audit.audit"``. It is a name so
            that the caller need not import it.
        arguments: Its arguments. They are pickled, as is the result.
        file: The file that it reads, for messages.
        advance: Passed to the function as its `advance`, and called here each time the function
            calls it there.
        seconds: How long the subprocess may send nothing.

    Returns:
        The function's result.

    Raises:
        ModelFileError: The file ended the process, kept it busy or took too much memory.
        Exception: What the function raises.

    Example:
        call("verification.audit.audit", "lenet5.tflite", file="lenet5.tflite").partitions  # 1
    """
    module, _, name = f"{PACKAGE}.{target}".rpartition(".")
    with tempfile.TemporaryDirectory() as folder, Worker(__name__) as worker:
        with Path(folder, _ARGUMENTS).open("wb") as opened:
            pickle.dump(arguments, opened, pickle.HIGHEST_PROTOCOL)
        request = {"target": f"{module}:{name}", "folder": folder, "progress": advance is not None}
        worker.send(request)
        try:
            while worker.receive(seconds) == _PROGRESS:
                assert advance
                advance()
        except TimeoutError:
            raise timeout_error(file, seconds) from None
        except WorkerError as error:
            raise exit_error(file, error, module) from None
        with Path(folder, _RESULT).open("rb") as opened:
            result, raised = pickle.load(opened)
    if isinstance(raised, MemoryError):
        raise memory_error(file) from raised
    if raised is not None:
        raise raised
    return result


def _call(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
    """Call the function that each request names."""
    for request in requests:
        with Path(request["folder"], _ARGUMENTS).open("rb") as opened:
            arguments = pickle.load(opened)
        options = {"advance": lambda: answer(_PROGRESS)} if request["progress"] else {}
        outcome: tuple[Any, Exception | None]
        try:
            outcome = resolve_name(request["target"])(*arguments, **options), None
        except Exception as error:
            error.add_note(traceback.format_exc())  # a traceback cannot be pickled
            outcome = None, error
        with Path(request["folder"], _RESULT).open("wb") as opened:
            pickle.dump(outcome, opened)
        answer("done")


if __name__ == "__main__":
    limit_memory()
    sys.exit(serve(_call))
