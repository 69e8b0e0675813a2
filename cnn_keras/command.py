"""What every command shares: its outcome, progress on stderr, files that are whole or absent."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import Error, first_line, reason_of

if TYPE_CHECKING:
    from rich.console import RenderableType


@dataclass(frozen=True)
class Outcome:
    """What a command found.

    Attributes:
        document: What ``--json`` prints: dicts, lists, numbers, strings.
        text: What a person reads: a string or a rich renderable.
        exit_code: 0 done, 1 the work failed or a check refused.
    """

    document: object
    text: RenderableType
    exit_code: int = 0


@dataclass(frozen=True, kw_only=True)
class Command(ABC):
    """A command of the command line: its fields are the options, and calling it does the work.

    See `options` for options that several commands share.
    """

    json: bool = False
    """Print one JSON document."""

    @abstractmethod
    def __call__(self) -> Outcome:
        """Do the work.

        Raises:
            Error: The work failed.
            UsageError: An option is wrong.
        """


def log(message: str) -> None:
    """Print a line about the work on stderr; stdout is for results."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201


def printable(text: str) -> str:
    """Return text without what would move a terminal's cursor, as a damaged file's names may.

    Example:
        >>> printable("conv1" + chr(27) + "[2J")
        'conv1�[2J'
    """
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def one_line(error: Exception) -> str:
    """Return an error as one line.

    What a library said at length (`errors.Error.details`) goes to a log file in the system's folder
    for temporary files, which the line names.
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
    except OSError:  # the disk is full: the line is what matters
        return message
    return f"{message} All that was said is in {path}."


def failure(error: Exception) -> str:
    """Return why one of several works failed, for its row: one line, as `one_line` writes it.

    What is no error of ours is named with its kind, and its traceback goes to the log file.
    """
    if not hasattr(error, "exit_code"):
        said = "".join(traceback.format_exception(error))
        error = Error(f"{type(error).__name__}: {reason_of(error)}", details=said)
    return one_line(error)


@contextmanager
def progress(description: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr, or nothing where stderr is not a terminal.

    Args:
        description: What is being done, for example ``"calibrate"``.
        total: How many steps there are.

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
    """Send file descriptors to nowhere for a while.

    TensorFlow, its converter and LiteRT write from C++, past `sys.stdout` and `sys.stderr`, and
    have no option against it. What fails is in their exceptions.

    Args:
        descriptors: 1 for stdout, 2 for stderr.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = [(descriptor, os.dup(descriptor)) for descriptor in descriptors]
    try:
        with Path(os.devnull).open("wb") as nowhere:
            for descriptor in descriptors:
                os.dup2(nowhere.fileno(), descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in saved:
            os.dup2(copy, descriptor)
            os.close(copy)


def start_keras() -> None:
    """Import Keras and TensorFlow without their start-up chatter, with oneDNN on.

    TensorFlow leaves oneDNN off on CPUs without VNNI or AMX, where it trains ResNet-20 about 1.6
    times as fast all the same. Both variables are read once, at import; a user's own values stay.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with quiet(1, 2):
        try:
            import keras
        except (ModuleNotFoundError, ValueError, AttributeError) as error:
            if getattr(error, "name", None) in ("keras", "tensorflow"):
                raise
            raise _not_as_asked(error) from error
        keras.config.set_image_data_format("channels_last")
        keras.config.set_floatx("float32")
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")  # no advice on tracing
        tf.config.list_physical_devices()  # the search for a GPU has its say here


def _not_as_asked(error: Exception) -> Error:
    """Return the error for what Keras was asked for by its file or by the environment."""
    home = Path.home() if os.access(Path.home(), os.W_OK) else Path("/tmp")
    asked = str(Path(os.environ.get("KERAS_HOME", home / ".keras"), "keras.json").expanduser())
    mend = "correct the file, or delete it"
    if isinstance(error, ImportError) or "backend" in str(error):
        mend = "name one that is installed: tensorflow, jax or torch"
        if backend := os.environ.get("KERAS_BACKEND"):
            asked = f"KERAS_BACKEND={backend}"
        else:
            asked = f"the backend of {asked}"
    return Error(f"Keras cannot start with {asked} ({first_line(error).rstrip('.')}): {mend}.")


def _encoded(data: bytes | str) -> bytes:
    """Return what a file is to hold. Names of files may not be UTF-8; they end no work."""
    return data.encode(errors="backslashreplace") if isinstance(data, str) else data


def write_atomic(path: Path, data: bytes | str) -> None:
    """Write a file beside its place and rename it, so that it is whole or absent.

    Args:
        path: The file to write; its folder is made.
        data: Bytes, or text written as UTF-8.

    Raises:
        OSError: The disk is full, or the folder is read-only; nothing is left behind.
    """
    write_together({path: data})


def write_together(files: Mapping[Path, bytes | str]) -> None:
    """Write files that belong together beside their places, and rename them when all are written.

    Where one cannot be written, all stay as they were. The last one comes last: let it be the one
    by which a command sees that the others are there.

    Args:
        files: What each is to hold; see `write_atomic`.

    Raises:
        OSError: The disk is full, or a folder is read-only; nothing is left behind.
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
            written[path].chmod(0o644)  # mkstemp makes files private
        for path in files:
            written[path].replace(path)
    except BaseException as error:
        for each in written.values():
            each.unlink(missing_ok=True)
        if isinstance(error, OSError):
            error.filename = path  # a full disk does not say which file
        raise
