"""Let LiteRT read a file in a process of its own.

Native code trusts a file more than a command line may: one changed byte can end the process by a
signal, keep it busy for ever or make it ask for all memory there is. In a child that ends the child
alone, and the command says in one line what is wrong with the file.

A child is a new Python rather than a fork, because TensorFlow's threads do not survive one, and
none of `multiprocessing`'s, which runs the caller's script once more. It imports what the work
needs, never TensorFlow.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .interpreter import ModelFileError

# How long a child may be silent: while a file is loaded, or for one inference. The slowest known,
# VGG-19 in int16 on reference kernels, takes a quarter of a minute here.
SECONDS = 300.0

PACKAGE = __package__.rpartition(".")[0]


def call(
    target: str,
    *arguments: Any,
    file: str | Path,
    advance: Callable[[], None] | None = None,
    seconds: float = SECONDS,
) -> Any:
    """Call a function of this package in a process of its own.

    Args:
        target: Module and function, for example ``"verification.audit.audit"``: a name, because the
            caller need not import it.
        arguments: Its arguments; they are pickled, as is what it returns.
        file: The file that it reads, for messages.
        advance: Given to the function as its `advance`, and called here when that is called there.
        seconds: How long the process may be silent.

    Returns:
        What the function returns.

    Raises:
        ModelFileError: The file ended the process, kept it busy or took too much memory.
        Exception: What the function raises.

    Example:
        call("verification.audit.audit", "lenet5.tflite", file="lenet5.tflite").partitions  # 1
    """
    ours, its = Pipe()
    with tempfile.TemporaryFile() as said, ours:
        with its:
            process = start(
                __name__,
                str(its.fileno()),
                pass_fds=[its.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )
        try:
            ours.send((target, arguments, advance is not None))
            while ours.poll(seconds):
                outcome = ours.recv()
                if outcome is None:
                    assert advance
                    advance()
                    continue
                answer, error = outcome
                if isinstance(error, MemoryError):
                    raise too_large(file) from error
                if error is not None:
                    raise error
                return answer
            raise silent(file, seconds)
        except (EOFError, ConnectionError):
            code = process.wait()
            said.seek(0)
            module = f"{PACKAGE}.{target.rpartition('.')[0]}"
            raise epitaph(file, code, said.read().decode(errors="replace"), module) from None
        finally:
            process.kill()
            process.wait()


def start(module: str, *arguments: str, **options: Any) -> subprocess.Popen[Any]:
    """Start a Python that runs a module and finds packages where this one does.

    The working directory is no such place, unless it is here (``-P``): a user's `random.py` would
    stand in for Python's.
    """
    own = {
        "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
        "PYTHONIOENCODING": "utf-8:backslashreplace",  # as it is read here, whatever the locale
    }
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *arguments], env={**os.environ, **own}, **options
    )


def confine() -> None:
    """Let this process take the machine's memory at most, and leave no core file when it dies.

    A file that asks for more then fails where it asks. Where the system runs out of memory before,
    as in a container, this is the process that it ends first.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for what, most in ((resource.RLIMIT_DATA, memory), (resource.RLIMIT_CORE, 0)):
        soft, hard = resource.getrlimit(what)
        limits = [limit for limit in (soft, hard, most) if limit != resource.RLIM_INFINITY]
        resource.setrlimit(what, (min(limits), hard))
    with suppress(OSError):  # Linux has it
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")


def epitaph(file: str | Path, code: int, said: str, module: str) -> ModelFileError:
    """Say in one line of what a process died.

    A crash is put down to the file only where LiteRT runs another file.

    Args:
        file: What it read.
        code: Its exit code, the signal's number below 0.
        said: What it wrote on stderr.
        module: What it did its work with, for example ``"export.verification.audit"``.
    """
    if code >= 0:
        lines = said.strip().splitlines()
        return _error(f"'{file}' cannot be read: {lines[-1] if lines else f'exit code {code}'}")
    name = signal.Signals(-code).name
    if -code not in _CRASHES:
        why = " or because memory ran out" if -code == signal.SIGKILL else ""
        return _error(f"'{file}' was not read: its process was ended from outside ({name}){why}.")
    hidden = [path for path in _READ_BY_LITERT if not _is_readable(path)]
    if sys.platform != "linux":
        hidden = []
    if len(hidden) == len(_READ_BY_LITERT) or _dies_on_a_sound_file(module):
        unread = f"; {' and '.join(hidden)} cannot be read here" if hidden else ""
        return _error(
            f"'{file}' was not read: LiteRT itself crashes on this machine ({name}){unread}."
        )
    return _error(f"'{file}' is damaged: LiteRT died on it ({name}); {_MEND}")


def _dies_on_a_sound_file(module: str) -> bool:
    process = start(
        f"{__package__}.self_test",
        module,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return -process.wait(SECONDS) in _CRASHES
    except subprocess.TimeoutExpired:
        return True
    finally:
        process.kill()
        process.wait()


def _is_readable(path: str) -> bool:
    try:
        with Path(path).open("rb") as file:
            return bool(file.read(1))
    except OSError:
        return False


def silent(file: str | Path, seconds: float) -> ModelFileError:
    """Return the error for a file that keeps LiteRT busy."""
    return _error(f"'{file}' is damaged: LiteRT did not finish with it in {seconds:.0f} s; {_MEND}")


def too_large(file: str | Path) -> ModelFileError:
    """Return the error for a file that asks for too much memory."""
    return _error(f"'{file}' is damaged, or needs more memory than there is; {_MEND}")


# What a process does to itself; other signals come from outside.
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
# sandboxes, it computes with what it has not learned, and crashes or does not.
_READ_BY_LITERT = ("/proc/cpuinfo", "/sys/devices/system/cpu/possible")

_MEND = "copy or export the file again."


def _error(message: str) -> ModelFileError:
    from .interpreter import ModelFileError  # not above: a caller that needs none saves LiteRT

    return ModelFileError(message)


def _main() -> None:
    """Do what `call` asks for."""
    confine()
    with Connection(int(sys.argv[1])) as parent:
        target, arguments, advancing = parent.recv()
        module, _, name = target.rpartition(".")
        options = {"advance": lambda: parent.send(None)} if advancing else {}
        outcome: tuple[Any, Exception | None]
        try:
            function = getattr(import_module(f".{module}", PACKAGE), name)
            outcome = function(*arguments, **options), None
        except Exception as error:
            error.add_note(traceback.format_exc())  # of this process; the traceback stays here
            outcome = None, error
        parent.send(outcome)


if __name__ == "__main__":
    _main()
