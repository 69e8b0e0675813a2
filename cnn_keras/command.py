"""Shared by all commands: outcome, stderr, signals, atomic files, start of Keras."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from .errors import Error, first_line, keras_reason

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Outcome:
    """The result of a command.

    Attributes:
        document: The document that ``--json`` prints.
        text: The text that is printed otherwise: a string or a rich renderable.
        exit_code: 0 done, 1 the work failed or a check refused.
    """

    document: object
    text: RenderableType
    exit_code: int = 0


# Not an abstract base class, for which tyro imports typeguard: `--help` would take 0.2 s longer.
@dataclass(frozen=True, kw_only=True)
class Command:
    """A command of the command line: its fields are the options, and calling it does the work.

    See `options` for options that several commands share.
    """

    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        """Do the work.

        Raises:
            Error: The work failed.
            UsageError: An option is wrong.
        """
        raise NotImplementedError


class Terminated(KeyboardInterrupt):
    """The process has received SIGTERM."""


@contextmanager
def terminable() -> Iterator[None]:
    """Raise `Terminated` when SIGTERM arrives, so that a command ends as after Ctrl-C.

    A signal that is ignored or handled already stays so. Only the main thread can handle signals.
    """
    default = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    if not default or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _terminate(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt the cleanup
    raise Terminated


def interruption(error: KeyboardInterrupt) -> tuple[str, int]:
    """Return how a command was interrupted, as one word, and its exit code: 128 + signal."""
    if isinstance(error, Terminated):
        return "terminated", 128 + signal.SIGTERM
    return "interrupted", 128 + signal.SIGINT


def ending(exit_code: int) -> str:
    """Describe how a process has ended.

    Example:
        >>> ending(-9), ending(1)
        ('was ended by SIGKILL', 'ended with exit code 1')
    """
    if exit_code < 0:
        return f"was ended by {signal.Signals(-exit_code).name}"
    return f"ended with exit code {exit_code}"


def log(message: str) -> None:
    """Print a line about the work on stderr; stdout is for results."""
    # One write, so that the lines of several threads do not mix.
    print(f"{message}\n", end="", file=sys.stderr, flush=True)  # noqa: T201


def printable(text: str) -> str:
    """Return text without control characters, which names in damaged files may contain.

    Example:
        >>> printable("conv1" + chr(27) + "[2J")
        'conv1�[2J'
    """
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def one_line(error: Exception) -> str:
    """Return an error as one line.

    Its details (`errors.Error.details`) go to a log file in the system's folder for temporary
    files, which the line names.
    """
    message = str(error)
    if isinstance(error, OSError) and error.strerror:
        message = f"{error.filename or 'Input or output'}: {error.strerror}."
    message = printable(" ".join(message.split()))
    details = getattr(error, "details", "")
    if " ".join(details.split()) in message:
        return message
    try:
        handle, path = tempfile.mkstemp(prefix="cnn-keras-", suffix=".log")
        with os.fdopen(handle, "wb") as file:
            file.write(_encoded(details))
    except OSError:  # the disk is full; the line matters more
        return message
    return f"{message} The full message is in {path}."


def failure_reason(error: Exception) -> str:
    """Return why one of several tasks failed, as one line.

    The traceback of an unexpected error goes to the log file of `one_line`.
    """
    if not hasattr(error, "exit_code"):
        trace = "".join(traceback.format_exception(error))
        error = Error(f"{type(error).__name__}: {keras_reason(error)}", details=trace)
    return one_line(error)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr, or nothing where stderr is not a terminal.

    Args:
        description: The task, for example ``"calibrate"``.
        total: Number of steps.

    Yields:
        A function that advances the bar by one step.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task(description, total=total)
        yield lambda: bar.advance(task)


@contextmanager
def quiet(*descriptors: int) -> Iterator[None]:
    """Discard the output to file descriptors.

    TensorFlow, its converter and LiteRT write to them from C++ instead of to `sys.stdout` and
    `sys.stderr`, and have no option to turn it off. Their exceptions have the errors.

    Args:
        descriptors: 1 for stdout, 2 for stderr.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [(descriptor, os.dup(descriptor)) for descriptor in descriptors]
    try:
        with Path(os.devnull).open("wb") as devnull:
            for descriptor in descriptors:
                os.dup2(devnull.fileno(), descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in saved:
            os.dup2(copy, descriptor)
            os.close(copy)


def start_keras(backend: str | None = None) -> None:
    """Import Keras and TensorFlow without their messages, with oneDNN enabled.

    TensorFlow disables oneDNN on CPUs without VNNI or AMX, although it trains ResNet-20 about 1.6
    times as fast there. The variables are read once, at import; those that a user has set stay.

    Args:
        backend: Keras' backend; by default that of the user's configuration. With another one than
            TensorFlow, TensorFlow only loads images, and leaves the GPUs alone.

    Raises:
        Error: Keras cannot start with its configuration.
    """
    if backend is not None:
        os.environ["KERAS_BACKEND"] = backend
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with quiet(1, 2):
        try:
            import keras
        except (ModuleNotFoundError, ValueError, AttributeError) as error:
            if getattr(error, "name", None) in ("keras", "tensorflow"):
                raise
            raise _configuration_error(error) from error
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # no warnings about retracing
        if keras.backend.backend() != "tensorflow":
            tf.config.set_visible_devices([], "GPU")
        tf.config.list_physical_devices()  # prints what the search for a GPU finds


def _configuration_error(error: Exception) -> Error:
    """Return the error for a configuration, in a file or the environment, that Keras refuses."""
    home = Path.home() if os.access(Path.home(), os.W_OK) else Path("/tmp")
    setting = str(Path(os.environ.get("KERAS_HOME", home / ".keras"), "keras.json").expanduser())
    hint = "correct the file, or delete it"
    if isinstance(error, ImportError) or "backend" in str(error):
        hint = "name one that is installed: tensorflow, jax or torch"
        if backend := os.environ.get("KERAS_BACKEND"):
            setting = f"KERAS_BACKEND={backend}"
        else:
            setting = f"the backend of {setting}"
    return Error(f"Keras cannot start with {setting} ({first_line(error).rstrip('.')}): {hint}.")


def _encoded(data: bytes | str) -> bytes:
    """Return the bytes to write. Names of files that are not UTF-8 are escaped."""
    return data.encode(errors="backslashreplace") if isinstance(data, str) else data


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file atomically: it is complete or unchanged.

    Args:
        path: The file to write; its folder is created.
        data: Bytes, or text written as UTF-8.

    Raises:
        OSError: The disk is full, or the folder is read-only; nothing is written.
    """
    write_together({path: data})


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Write a new folder atomically: it is complete or absent.

    Args:
        out: The folder, which is absent or empty.

    Yields:
        A temporary folder beside it, which is renamed at the end.

    Raises:
        OSError: The disk is full, the parent folder is read-only, or the folder has files.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        yield temporary
        temporary.chmod(0o755)  # mkdtemp creates private folders
        temporary.replace(out)
    except BaseException:
        shutil.rmtree(temporary)
        raise


def write_together(files: Mapping[Path, bytes | str]) -> None:
    """Write files together: temporary files first, which are renamed when all are written.

    If one cannot be written, all are unchanged. They are renamed in order, so that the last one
    shows that all are complete.

    Args:
        files: Content by path; see `write_atomic`.

    Raises:
        OSError: The disk is full, or a folder is read-only; nothing is written.
    """
    written: dict[Path, Path] = {}
    path = Path()
    try:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            written[path] = Path(temporary)
            with os.fdopen(handle, "wb") as file:
                file.write(_encoded(data))
            written[path].chmod(0o644)  # mkstemp creates private files
        for path in files:
            written[path].replace(path)
    except BaseException as error:
        for temporary_file in written.values():
            temporary_file.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = path  # the error of a full disk does not name the file
        raise
