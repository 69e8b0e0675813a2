"""Start a fresh `runner` process and send it requests."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ..tflite import crash_message
from ..tflite.interpreter import ModelFileError, TensorSpec
from ..worker import JsonProcess, Worker, WorkerError
from .runner import (
    MAX_WARMUP,
    STABILITY,
    Loaded,
    LoadOptions,
    Row,
    SustainOptions,
    TimingOptions,
)

_RUNNER = f"{__package__}.runner"


class RunnerProcess:
    """A process that has loaded and warmed up one file, and times it in blocks of inferences.

    Args:
        load: What it loads.
        process: The runner; by default a fresh one on this machine. Leaving the context kills it.

    Attributes:
        loaded: What is known of the model.

    Raises:
        ModelFileError: The file is not a runnable classifier, or it crashed the process.

    Example:
        with RunnerProcess(LoadOptions("lenet5.tflite")) as process:
            process.run(TimingOptions(min_secs=0.2))
            row = process.row()
    """

    def __init__(self, load: LoadOptions, process: JsonProcess | None = None) -> None:
        self._process = process or start()
        self._file = load.file
        try:
            answer = self._ask(load._asdict(), MAX_WARMUP * load.warmup_secs)
        except BaseException:
            self.close()
            raise
        specs = {name: _tensor_spec(answer[name]) for name in ("input", "output")}
        self.loaded = Loaded(**{**answer, **specs})

    def output(self, index: int) -> NDArray[Any]:
        """Return the raw output `(1, classes)` for an image."""
        output = self.loaded.output
        encoded = base64.b64decode(self._ask(index, 0.0))
        return np.frombuffer(encoded, output.dtype).reshape(output.shape)

    def run(self, timing: TimingOptions) -> float:
        """Time one block of inferences and return its median latency in ms."""
        median: float = self._ask(timing._asdict(), timing.max_secs)
        return median

    def sustain(self, secs: float) -> Iterator[dict[str, Any]]:
        """Run without a pause for some seconds; yield the windows of `Measurement.sustain`."""
        window = self._ask(SustainOptions(secs)._asdict(), secs)
        while window is not None:
            yield window
            window = self._answer(crash_message.TIMEOUT_SECS)

    def stability(self) -> dict[str, Any]:
        """Return how stable the blocks so far are: further keys of a row."""
        found: dict[str, Any] = self._ask(STABILITY, 0.0)
        return found

    def row(self) -> Row:
        """End the process and return the measurement of all blocks together."""
        self._process.end_requests()
        return Row(**self._answer(crash_message.TIMEOUT_SECS))

    def close(self) -> None:
        """Kill the process."""
        self._process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: object, seconds: float) -> Any:
        """Return the answer to a request for this many seconds of inferences."""
        self._process.send(request)
        return self._answer(crash_message.TIMEOUT_SECS + seconds)

    def _answer(self, seconds: float) -> Any:
        try:
            return self._process.receive(seconds)
        except TimeoutError:
            raise self._timeout_error(seconds) from None
        except WorkerError as error:
            if error.exit_code == ModelFileError.exit_code and error.stderr.count("\n") == 1:
                raise ModelFileError(error.last_line) from None
            raise self._exit_error(error) from None

    def _timeout_error(self, seconds: float) -> Exception:
        """Return the error for a runner that did not answer in time."""
        return crash_message.timeout_error(self._file, seconds)

    def _exit_error(self, error: WorkerError) -> Exception:
        """Return the error for a runner that ended without an answer."""
        return crash_message.exit_error(self._file, error, _RUNNER)


def _tensor_spec(values: list[Any]) -> TensorSpec:
    name, shape, *others = values  # JSON has no tuples
    return TensorSpec(name, tuple(shape), *others)


def start() -> Worker:
    """Start a runner, which imports what it needs before it loads a file."""
    return Worker(_RUNNER)


def measure(load: LoadOptions, timing: TimingOptions) -> Row:
    """Measure one file in a fresh process.

    Raises:
        ModelFileError: The file is not a runnable classifier, or it crashed the process.
    """
    with RunnerProcess(load) as process:
        process.run(timing)
        return process.row()
