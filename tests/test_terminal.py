"""Output that only a terminal gets: progress bars, which hide the cursor."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

from cnn_keras.training.run_folder import Run


def on_terminal(*arguments: str, interrupt_at: bytes | None = None) -> tuple[int, bytes]:
    """Run a command on a pseudo-terminal; return its exit code and its output."""
    controller, terminal = pty.openpty()
    command = [sys.executable, "-m", "export", *arguments]
    process = subprocess.Popen(
        command, stdin=terminal, stdout=terminal, stderr=terminal, start_new_session=True
    )
    os.close(terminal)
    output, deadline = b"", time.monotonic() + 90
    try:
        while time.monotonic() < deadline:
            if not select.select([controller], [], [], 1)[0]:
                continue
            try:
                output += os.read(controller, 65_536)
            except OSError:  # the command ended and closed the terminal
                return process.wait(10), output
            if interrupt_at and interrupt_at in output:
                process.send_signal(signal.SIGINT)
                interrupt_at = None
        raise AssertionError(f"the command did not end: {output[-500:]!r}")
    finally:
        process.kill()
        process.wait()
        os.close(controller)


def test_training_shows_progress(tmp_path: Path) -> None:
    small = ("--epochs", "2", "--train-images", "320")
    run = str(tmp_path / "run")
    code, output = on_terminal("train", "lenet5", "--data", "digits", "--out", run, *small)
    assert code == 0, output[-500:]
    assert b"epoch 2/2" in output
    assert output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l") > -1


def test_an_interrupted_command_shows_the_cursor_again(tmp_path: Path) -> None:
    arguments = ("train", "lenet5", "--data", "digits", "--out", str(tmp_path / "run"))
    code, output = on_terminal(*arguments, interrupt_at=b"validation")
    assert code == 130
    assert b"the same command resumes" in output
    assert b"Traceback" not in output
    assert output.rfind(b"\x1b[?25h") > output.rfind(b"\x1b[?25l") > -1


def test_calibration_shows_progress(lenet_run: Run, tmp_path: Path) -> None:
    arguments = ("export", str(lenet_run.path), "--out", str(tmp_path))
    code, output = on_terminal(*arguments, "--recipes", "static_wi8_ai8")
    assert code == 0, output[-500:]
    assert b"lenet5_digits: calibrate" in output
    assert b"Traceback" not in output
