"""Time the inferences of any inference engine, loaded in a fresh process."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cnn_keras.command import quiet
from cnn_keras.errors import Error, first_line

from ..worker import Worker, WorkerError, serve

Scores = NDArray[np.float32]
Inference = Callable[[], Scores]
"""Computes and returns scores `(1, num_classes)`."""
Load = Callable[[Path, int], Inference]
"""Loads a network from a folder, for a number of threads."""

WARMUP_SECS = 0.5  # as in `runner`
LEAD_IN_RUNS = 3  # as in `runner`
MIN_RUNS = 5  # in a round, for the slowest networks
TIMEOUT_SECS = 1800.0  # for one answer; engines compile a network when they load it


class EngineProcess(Worker):
    """A network that an engine has loaded and warmed up in its own process.

    Args:
        load: Loads the network, in the process: a function at the top of a module.
        folder: The folder that it loads from.
        num_threads: Threads that the engine may use.

    Attributes:
        scores: The scores of the first inference.

    Raises:
        Error: The network cannot be loaded or run; the message is the engine's own.
    """

    def __init__(self, load: Load, folder: Path, num_threads: int) -> None:
        super().__init__(__name__)
        name = f"{load.__module__}:{load.__qualname__}"
        request = {"load": name, "folder": str(folder), "num_threads": num_threads}
        try:
            self.scores: Scores = np.array(self._ask(request), np.float32)
        except BaseException:
            self.close()
            raise

    def run(self, secs: float) -> NDArray[np.float64]:
        """Time inferences for this many seconds, and at least `MIN_RUNS`; return each one's ms."""
        return np.array(self._ask(secs)) / 1e6

    def _ask(self, request: object) -> Any:
        self.send(request)
        try:
            return self.receive(TIMEOUT_SECS)
        except TimeoutError:
            raise Error(f"its process did not answer in {TIMEOUT_SECS:.0f} s") from None
        except WorkerError as error:
            if error.exit_code == Error.exit_code:
                raise Error(error.last_line) from None
            raise Error(f"its process ended with exit code {error.exit_code}") from None


def answer_requests(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
    """Answer with the scores of one inference, then with the nanoseconds of each timed one.

    Raises:
        Error: The network cannot be loaded or run.
    """
    with quiet(1, 2):
        try:
            request = next(requests)
            infer: Inference = resolve_name(request["load"])(
                Path(request["folder"]), request["num_threads"]
            )
            answer(infer().tolist())
            _time(infer, WARMUP_SECS)
            for secs in requests:
                for _ in range(LEAD_IN_RUNS):
                    infer()
                answer(_time(infer, secs))
        except Exception as error:  # engines raise exceptions of every kind
            raise Error(first_line(error)) from error


def _time(infer: Inference, secs: float) -> list[int]:
    """Return the nanoseconds of each inference, for this many seconds and at least `MIN_RUNS`."""
    samples: list[int] = []
    end = time.perf_counter_ns() + int(secs * 1e9)
    while time.perf_counter_ns() < end or len(samples) < MIN_RUNS:
        start = time.perf_counter_ns()
        infer()
        samples.append(time.perf_counter_ns() - start)
    return samples


if __name__ == "__main__":
    sys.exit(serve(answer_requests))
