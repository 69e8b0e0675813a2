"""A request to stop that all processes of a training follow after the same step."""

from __future__ import annotations

from ..hosts import devices
from .stop_request import StopRequest


class AgreedStop(StopRequest):
    """Defers SIGINT and SIGTERM until all processes know of it.

    The processes compute each step together, and so they also agree after each step. One that has
    received no signal stops as if it had received that of another process.
    """

    def __init__(self) -> None:
        super().__init__()
        self._agreed = False

    @property
    def received(self) -> bool:
        """Whether a signal has arrived at a process, and all processes know of it."""
        return self._agreed

    def after_step(self) -> bool:
        """Exchange whether a signal has arrived; all processes call this after the same steps."""
        if found := devices.agree(self._signal or 0):
            self._signal, self._agreed = found, True
        return self._agreed


def stop_request() -> StopRequest:
    """Return the request to stop of a training in this process, or in several ones."""
    return AgreedStop() if devices.share().num_processes > 1 else StopRequest()
