"""Start a fresh `runner` process and talk to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ..interpreter import ModelFileError
from .runner import Block, Row, Spec

# The folder that holds the package, under whichever name: `export` in a clone, `cnn_keras_export`
# in an installation.
_ROOT = Path(__file__).resolve().parents[2]


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
        path = os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"{__package__}.runner"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path},
            text=True,
        )
        try:
            self._ask(spec)
        except BaseException:
            self._close()
            raise

    def run(self, block: Block) -> float:
        """Time one block of inferences and return its median latency in ms."""
        median: float = self._ask(block)
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

    def _ask(self, request: Spec | Block) -> Any:
        assert self._process.stdin
        with suppress(BrokenPipeError):  # it has died; reading its answer says of what
            self._process.stdin.write(json.dumps(request._asdict()) + "\n")
            self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        raise ModelFileError(self._epitaph())

    def _epitaph(self) -> str:
        """Say in one line of what the process died."""
        assert self._process.stderr
        said = self._process.stderr.read().strip().splitlines()
        code = self._process.wait()
        if code < 0:
            name = signal.Signals(-code).name
            return (
                f"'{self._file}' crashed LiteRT ({name}); the file is damaged, or a bug in LiteRT."
            )
        if code == ModelFileError.exit_code and len(said) == 1:
            return said[0]
        reason = said[-1] if said else f"exit code {code}"
        return f"'{self._file}' cannot be measured: {reason}"

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
