"""Explain in one line why a subprocess that read a file ended without an answer."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..worker import Worker, WorkerError

if TYPE_CHECKING:
    from .interpreter import ModelFileError

# How long a subprocess may need to load a file or for one inference. The slowest known, VGG-19 in
# int16 on reference kernels, takes a quarter of a minute here.
TIMEOUT_SECS = 300.0

# Signals that a process raises by itself; others come from outside.
_CRASHES = {
    signal.SIGABRT,
    signal.SIGBUS,
    signal.SIGFPE,
    signal.SIGILL,
    signal.SIGSEGV,
    signal.SIGSYS,
    signal.SIGTRAP,
}

# From one of these LiteRT learns what the processor can do. Where Linux shows neither, as in some
# sandboxes, it uses what it has not learned, and may crash.
_READ_BY_LITERT = ("/proc/cpuinfo", "/sys/devices/system/cpu/possible")

_HINT = "copy or export the file again."


def exit_error(file: str | Path, error: WorkerError, module: str) -> ModelFileError:
    """Return the error for a file whose subprocess ended.

    The file is called damaged only where LiteRT runs another file on this machine.

    Args:
        file: The file that it read.
        error: How it ended.
        module: The module that it ran, for example ``"export.verification.audit"``.
    """
    if error.exit_code >= 0:
        reason = error.last_line or f"exit code {error.exit_code}"
        return _model_file_error(f"'{file}' cannot be read: {reason}")
    name = signal.Signals(-error.exit_code).name
    if -error.exit_code not in _CRASHES:
        memory = " or because memory ran out" if name == "SIGKILL" else ""
        return _model_file_error(
            f"'{file}' was not read: its process was ended from outside ({name}){memory}."
        )
    hidden = [path for path in _READ_BY_LITERT if not _is_readable(path)]
    if sys.platform != "linux":
        hidden = []
    if len(hidden) == len(_READ_BY_LITERT) or _crashes_on_valid_file(module):
        unread = f"; {' and '.join(hidden)} cannot be read here" if hidden else ""
        return _model_file_error(
            f"'{file}' was not read: LiteRT itself crashes on this machine ({name}){unread}."
        )
    return _model_file_error(f"'{file}' is damaged: LiteRT crashed on it ({name}); {_HINT}")


def timeout_error(file: str | Path, seconds: float) -> ModelFileError:
    """Return the error for a file that keeps LiteRT busy."""
    return _model_file_error(
        f"'{file}' is damaged: LiteRT did not finish with it in {seconds:.0f} s; {_HINT}"
    )


def memory_error(file: str | Path) -> ModelFileError:
    """Return the error for a file that asks for too much memory."""
    return _model_file_error(
        f"'{file}' is damaged, or needs more memory than this machine has; {_HINT}"
    )


def _crashes_on_valid_file(module: str) -> bool:
    with Worker(f"{__package__}.litert_check") as worker:
        worker.send(module)
        try:
            worker.receive(TIMEOUT_SECS)
        except TimeoutError:
            return True
        except WorkerError as error:
            return -error.exit_code in _CRASHES
    return False


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def _model_file_error(message: str) -> ModelFileError:
    from .interpreter import ModelFileError  # imports LiteRT, which most callers do without

    return ModelFileError(message)
