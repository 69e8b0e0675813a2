"""A page that a browser has opened: the task that it works on, and its answer."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from ....tflite.interpreter import ModelFileError
from ..place import PlaceError

SILENT_SECS = 60.0
"""A page sends a message every second; one that is in the background or on a locked phone does
not."""


class RefusedAnswerError(ValueError):
    """A page sent something else than its task asks for; the message is one line."""


class Task(NamedTuple):
    """What a page is asked to do.

    Attributes:
        kind: ``"outputs"``, ``"time"``, ``"refused"`` or ``"end"``.
        document: What the page gets, as JSON types.
        file: File that it may download.
        images: Raw input tensors that it may download.
        max_answer_bytes: Size of the largest answer; 0 if none is expected.
        check: Returns the answer from its bytes, or raises `RefusedAnswerError`.
    """

    kind: str
    document: dict[str, Any] = {}  # noqa: RUF012 (never changed)
    file: Path | None = None
    images: bytes = b""
    max_answer_bytes: int = 0
    check: Callable[[bytes], Any] = bytes


@dataclass
class Page:
    """A page; the server's threads and the command share it.

    Attributes:
        host: The device and the browser, with the fields of a row's ``host``.
        name: Name of the browser and, if another page has the same one, a number.
        id: Its secret name in addresses.
    """

    host: dict[str, Any]
    name: str
    id: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    _task: Task | None = None
    _sequence: int = 0
    _answer: Any = None
    _error: Exception | None = None
    _fraction: float = 0.0
    _delivered: bool = False
    _seen: float = field(default_factory=time.monotonic)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def ask(self, task: Task, seconds: float, advance: Callable[[float], None]) -> Any:
        """Give the page a task and wait for its answer.

        Args:
            task: The task.
            seconds: How long it may take.
            advance: Called with the share of the task that is done.

        Raises:
            ModelFileError: The file does not run there.
            PlaceError: The page fails, is silent or takes too long.
        """
        with self._changed:
            self._begin(task)
            deadline = time.monotonic() + seconds
            self._seen = time.monotonic()
            while self._answer is None:
                if self._error:
                    raise self._error
                now = time.monotonic()
                if now > deadline:
                    raise PlaceError(f"{self.name} has not answered in {seconds:.0f} s.")
                if now > self._seen + SILENT_SECS:
                    raise PlaceError(
                        f"{self.name} has been silent for {SILENT_SECS:.0f} s: keep the page in "
                        "front and the screen on."
                    )
                self._changed.wait(0.5)
                advance(self._fraction)
            self._task, answer = None, self._answer
            return answer

    def tell(self, task: Task, seconds: float = 0.0) -> None:
        """Give the page a task without an answer.

        Args:
            task: The task.
            seconds: How long to wait until the page has received it.
        """
        with self._changed:
            self._begin(task)
            self._changed.wait_for(lambda: self._delivered, seconds)

    def next_task(self, after: int, seconds: float) -> tuple[int, Task] | None:
        """Return a task that is newer than `after`, with its number; None if there is none.

        Args:
            after: Number of the last task that the page knows.
            seconds: How long to wait for one.
        """
        with self._changed:
            self._seen = time.monotonic()
            self._changed.wait_for(lambda: self._task and self._sequence > after, seconds)
            self._seen = time.monotonic()
            if not self._task or self._sequence <= after:
                return None
            self._delivered = True
            self._changed.notify_all()
            return self._sequence, self._task

    def current(self) -> Task | None:
        """Return the task that the page works on."""
        with self._changed:
            self._seen = time.monotonic()
            return self._task

    def progress(self, fraction: float) -> None:
        """Note the share of the task that is done."""
        with self._changed:
            self._seen = time.monotonic()
            self._fraction = fraction

    def answer(self, sequence: int, content: bytes) -> None:
        """Accept the answer to a task, once.

        Raises:
            RefusedAnswerError: The answer is not what the task asks for, or the task is over.
        """
        with self._changed:
            self._answer = self._pending(sequence).check(content)
            self._changed.notify_all()

    def fail(self, sequence: int, message: str, is_file: bool) -> None:
        """Note that the page cannot do its task.

        Args:
            sequence: Number of the task.
            message: Why, one line.
            is_file: Whether the file is the reason.

        Raises:
            RefusedAnswerError: The task is over.
        """
        with self._changed:
            task = self._pending(sequence)
            message = f"{task.file} at {self.name}: {message.rstrip('.')}."
            self._error = ModelFileError(message) if is_file else PlaceError(message)
            self._changed.notify_all()

    def _pending(self, sequence: int) -> Task:
        self._seen = time.monotonic()
        if not self._task or sequence != self._sequence or self._answer is not None:
            raise RefusedAnswerError("this task is over")
        return self._task

    def _begin(self, task: Task) -> None:
        self._sequence += 1
        self._task, self._answer, self._error = task, None, None
        self._fraction, self._delivered = 0.0, False
        self._changed.notify_all()
