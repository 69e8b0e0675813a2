"""A `.tflite` file that a runner on a board has loaded."""

from __future__ import annotations

import hashlib
import io
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from cnn_keras.command import log, progress

from ....tflite.crash_message import TIMEOUT_SECS
from ....tflite.interpreter import ModelFileError
from ....worker import WorkerError
from ...profile.operator_runner import ProfileOptions, Times
from ...runner import MAX_WARMUP, LoadOptions
from ...runner_process import RunnerProcess
from ..local import outputs_of, sustain
from ..place import Job, LoadedFile, Measured, Outputs, PlaceError
from . import bundle
from .connection import BLOCK_BYTES, Connection
from .preparation import Prepared


class BoardRunner(RunnerProcess):
    """A runner at the other end of a connection.

    Args:
        load: What it loads, with paths on the board.
        connection: The connection, whose agent has started the runner.
        job: The measurement.
    """

    def __init__(self, load: LoadOptions, connection: Connection, job: Job) -> None:
        self._connection = connection
        self._job = job
        super().__init__(load, connection)

    def close(self) -> None:
        """Do nothing: the connection is that of the place."""

    def _answer(self, seconds: float) -> object:
        try:
            return super()._answer(seconds)
        except ModelFileError as error:
            message = str(error).replace(self._file, str(self._job.file))
            host = self._connection.destination.text
            raise ModelFileError(f"{host}: {message}") from None

    def _timeout_error(self, seconds: float) -> Exception:
        return _timeout_error(self._connection, self._job, seconds)

    def _exit_error(self, error: WorkerError) -> Exception:
        return _exit_error(self._connection, self._job, error)


class BoardFile(LoadedFile):
    """A file on a board, ready to run.

    Args:
        runner: The runner that has loaded it.
        connection: The connection to the board.
        prepared: The board.
        job: The measurement.

    Attributes:
        measured: Whether it has been measured, so that its runner has ended.
    """

    def __init__(
        self, runner: BoardRunner, connection: Connection, prepared: Prepared, job: Job
    ) -> None:
        self._runner = runner
        self._connection = connection
        self._prepared = prepared
        self._job = job
        self.measured = False

    def outputs(self) -> Outputs:
        """Run the images of the job; see `LoadedFile.outputs`."""
        _log(self._connection, f"check the outputs for {self._runner.loaded.num_images} images")
        return outputs_of(self._runner)

    def measure(self) -> Measured:
        """Time the file; see `LoadedFile.measure`."""
        _log(self._connection, "time the inferences")
        self._runner.run(self._job.timing)
        extra = self._runner.stability() | sustain(self._runner, self._job)
        row = self._runner.row()
        board = self._connection.receive(TIMEOUT_SECS)
        self.measured = True
        host = {**board["host"], "cpu": board["host"]["cpu"] or None}
        return Measured(
            row._asdict(),
            host,
            self._prepared.versions,
            "LiteRT",
            self._prepared.versions["ai-edge-litert"],
            delegate_used="XNNPACK" if row.delegated_nodes else None,
            extra={"state": {"before": board["before"], "after": board["after"]}, **extra},
        )


@contextmanager
def load(connection: Connection, prepared: Prepared, job: Job) -> Iterator[BoardFile]:
    """Copy a file and its images to a board, and load it there; see `Place.load`."""
    images = io.BytesIO()
    np.save(images, job.images())
    data = job.file.read_bytes()
    if job.sha256 not in connection.copied:
        _log(connection, f"copy {job.file} ({len(data) / 1000:,.0f} kB) and its images")
    file = _copy(connection, "model.tflite", data, job.sha256)
    array = images.getvalue()
    inputs = _copy(connection, "images.npy", array, hashlib.sha256(array).hexdigest())
    seconds = TIMEOUT_SECS + MAX_WARMUP * job.warmup_secs + job.timing.max_secs
    connection.start(prepared.python, prepared.runner, bundle.RUNNER, seconds + TIMEOUT_SECS)
    options = LoadOptions(file, job.num_threads, job.warmup_secs, inputs)
    with BoardRunner(options, connection, job) as runner:
        yield BoardFile(runner, connection, prepared, job)


def profile(connection: Connection, prepared: Prepared, job: Job, options: ProfileOptions) -> Times:
    """Copy the operations of a file to a board, and time them there; see `Place.profile`."""
    data = Path(options.archive).read_bytes()
    _log(connection, f"copy the operations of {job.file} ({len(data) / 1000:,.0f} kB)")
    archive = _copy(connection, "operations.zip", data, hashlib.sha256(data).hexdigest())
    seconds = 2 * TIMEOUT_SECS + 10 * options.secs
    connection.start(prepared.python, prepared.runner, bundle.OPERATOR_RUNNER, seconds)
    connection.send(options._replace(archive=archive)._asdict())
    try:
        return Times(**connection.receive(seconds))
    except TimeoutError:
        raise _timeout_error(connection, job, seconds) from None
    except WorkerError as error:
        raise _exit_error(connection, job, error) from None


def _timeout_error(connection: Connection, job: Job, seconds: float) -> PlaceError:
    return connection.error(f"LiteRT did not finish with '{job.file}' in {seconds:.0f} s")


def _exit_error(connection: Connection, job: Job, error: WorkerError) -> PlaceError:
    """Return the error for a program on the board that ended without an answer."""
    if error.exit_code >= 0:
        reason = error.last_line or f"exit code {error.exit_code}"
    else:
        reason = signal.Signals(-error.exit_code).name
        if reason == "SIGKILL":
            reason += ", as when memory runs out"
    return connection.error(f"LiteRT ended with '{job.file}' ({reason})")


def _copy(connection: Connection, name: str, data: bytes, sha256: str) -> str:
    """Copy a file, unless it is there already, and return its path there."""
    if sha256 in connection.copied:
        return connection.copied[sha256]
    blocks = -(-len(data) // BLOCK_BYTES)
    with progress(f"copy {name}", blocks) as advance:
        return connection.copy(name, data, sha256, advance)


def _log(connection: Connection, message: str) -> None:
    log(f"{connection.destination.text}: {message}")
