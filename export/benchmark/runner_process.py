"""Start a fresh `runner` process and send it requests."""

from __future__ import annotations

from typing import Any

from ..tflite import crash_message
from ..tflite.interpreter import ModelFileError
from ..worker import Worker, WorkerError
from .runner import LoadOptions, Row, TimingOptions

_RUNNER = f"{__package__}.runner"


class RunnerProcess(Worker):
    """A process that has loaded and warmed up one file, and times it in blocks of inferences.

    Args:
        load: What it loads.

    Raises:
        ModelFileError: The file is not a runnable classifier, or it crashed the process.

    Example:
        with RunnerProcess(LoadOptions("lenet5.tflite")) as process:
            process.run(TimingOptions(min_secs=0.2))
            row = process.row()
    """

    def __init__(self, load: LoadOptions) -> None:
        super().__init__(_RUNNER)
        self._file = load.file
        try:
            self._ask(load, load.warmup_secs)
        except BaseException:
            self.close()
            raise

    def run(self, timing: TimingOptions) -> float:
        """Time one block of inferences and return its median latency in ms."""
        median: float = self._ask(timing, timing.max_secs)
        return median

    def row(self) -> Row:
        """End the process and return the measurement of all blocks together."""
        self.end_requests()
        return Row(**self._answer(crash_message.TIMEOUT_SECS))

    def _ask(self, request: LoadOptions | TimingOptions, seconds: float) -> Any:
        """Return the answer to a request for this many seconds of inferences."""
        self.send(request._asdict())
        return self._answer(crash_message.TIMEOUT_SECS + seconds)

    def _answer(self, seconds: float) -> Any:
        try:
            return self.receive(seconds)
        except TimeoutError:
            raise crash_message.timeout_error(self._file, seconds) from None
        except WorkerError as error:
            if error.exit_code == ModelFileError.exit_code and error.stderr.count("\n") == 1:
                raise ModelFileError(error.last_line) from None
            raise crash_message.exit_error(self._file, error, _RUNNER) from None


def measure(load: LoadOptions, timing: TimingOptions) -> Row:
    """Measure one file in a fresh process.

    Raises:
        ModelFileError: The file is not a runnable classifier, or it crashed the process.
    """
    with RunnerProcess(load) as process:
        process.run(timing)
        return process.row()
