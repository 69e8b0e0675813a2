"""Start `operator_runner` and send it what to time."""

from __future__ import annotations

from pathlib import Path

from ...tflite import crash_message
from ...tflite.interpreter import ModelFileError
from ...worker import JsonProcess, Worker, WorkerError
from .operator_runner import ProfileOptions, Times

RUNNER = f"{__package__}.operator_runner"


def profile(file: Path, options: ProfileOptions, process: JsonProcess | None = None) -> Times:
    """Run `operator_runner`.

    Args:
        file: The file, for messages.
        options: What to time.
        process: The program; by default a fresh one on this machine.

    Raises:
        ModelFileError: LiteRT cannot run one of the files, or it crashed the process.
    """
    seconds = crash_message.TIMEOUT_SECS + 10 * options.secs
    with process or Worker(RUNNER) as worker:
        worker.send(options._asdict())
        try:
            return Times(**worker.receive(seconds))
        except TimeoutError:
            raise crash_message.timeout_error(file, seconds) from None
        except WorkerError as error:
            if error.exit_code == ModelFileError.exit_code and error.stderr.count("\n") == 1:
                raise ModelFileError(error.last_line) from None
            raise crash_message.exit_error(file, error, RUNNER) from None
