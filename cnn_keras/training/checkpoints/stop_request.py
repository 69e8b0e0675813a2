"""Ctrl-C and SIGTERM during a training, which first saves its state."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

Handler = Callable[[int, FrameType | None], Any]


class StopRequest:
    """Defers SIGINT and SIGTERM until the training can stop.

    A second signal is not deferred. Signals without a Python handler stay as they are. Only the
    main thread can handle signals.

    Example:
        >>> with StopRequest() as stop:
        ...     signal.raise_signal(signal.SIGINT)
        ...     stop.received
        True
    """

    def __init__(self) -> None:
        self._handlers: dict[int, Handler] = {}
        self._signal: int | None = None

    @property
    def received(self) -> bool:
        """Whether a signal has arrived."""
        return self._signal is not None

    def after_step(self) -> bool:
        """Return whether to stop now; a training calls this after each step."""
        return self.received

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                if callable(handler := signal.getsignal(number)):
                    self._handlers[number] = handler
                    signal.signal(number, self._defer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._handlers.items():
            # The handler of SIGTERM ignores further signals, see `command.terminable`.
            if signal.getsignal(number) == self._defer:
                signal.signal(number, handler)

    def _defer(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            self._handlers[number](number, frame)
        self._signal = number

    def stop(self, position: str) -> None:
        """Handle the signal that has arrived.

        Args:
            position: Where the training resumes, the text of the exception.

        Raises:
            KeyboardInterrupt: Always, with the usual handlers; `command.Terminated` after SIGTERM.
        """
        assert self._signal is not None
        try:
            self._handlers[self._signal](self._signal, None)
        except KeyboardInterrupt as error:
            error.args = (position,)
            raise
