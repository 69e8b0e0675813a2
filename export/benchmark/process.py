"""Start a fresh `runner` process and talk to it."""

from __future__ import annotations

import json
import select
import subprocess
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from ..tflite import isolation
from ..tflite.interpreter import ModelFileError
from .runner import Block, Row, Spec


class Process:
    """A process that has loaded one file and warmed it up, and waits for blocks to time.

    While it waits it sleeps in a read, so that two of them can take turns without disturbing each
    other.

    Args:
        spec: What it loads.

    Raises:
        ModelFileError: The file is no runnable classifier, or it crashed the process.

    Example:
        with Process(Spec("lenet5.tflite")) as process:
            process.run(Block(min_secs=0.2))
            row = process.row()
    """

    def __init__(self, spec: Spec) -> None:
        self._file = spec.file
        self._process = isolation.start(
            f"{__package__}.runner",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
        )
        try:
            self._ask(spec, spec.warmup_secs)
        except BaseException:
            self._close()
            raise

    def run(self, block: Block) -> float:
        """Time one block of inferences and return its median latency in ms."""
        median: float = self._ask(block, block.max_secs)
        return median

    def row(self) -> Row:
        """End the process and return what it measured in all blocks together."""
        assert self._process.stdin
        self._process.stdin.close()
        return Row(**self._answer())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _ask(self, request: Spec | Block, seconds: float) -> Any:
        """Return the answer to a request for so many seconds of inferences."""
        assert self._process.stdin
        with suppress(BrokenPipeError):  # it has died; reading its answer says of what
            self._process.stdin.write(json.dumps(request._asdict()) + "\n")
            self._process.stdin.flush()
        return self._answer(seconds)

    def _answer(self, seconds: float = 0.0) -> Any:
        assert self._process.stdout
        assert self._process.stderr
        limit = isolation.SECONDS + seconds
        if not select.select([self._process.stdout], [], [], limit)[0]:
            raise isolation.silent(self._file, limit)
        if line := self._process.stdout.readline():
            return json.loads(line)
        said = self._process.stderr.read()
        code = self._process.wait()
        if code == ModelFileError.exit_code and said.count("\n") == 1:
            raise ModelFileError(said.strip())
        raise isolation.epitaph(self._file, code, said, f"{__package__}.runner")

    def _close(self) -> None:
        """End the process, whatever it is doing, and its pipes."""
        process = self._process
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            assert pipe
            with suppress(BrokenPipeError):  # what was not sent is for nobody
                pipe.close()


def measure(spec: Spec, block: Block) -> Row:
    """Measure one file in a fresh process.

    Raises:
        ModelFileError: The file is no runnable classifier, or it crashed the process.
    """
    with Process(spec) as process:
        process.run(block)
        return process.row()
