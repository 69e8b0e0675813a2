"""What only a terminal shows: progress bars, and the cursor that they hide."""

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
    """Run a command on a terminal of its own; return its exit code and all that it wrote."""
    ours, its = pty.openpty()
    command = [sys.executable, "-m", "export", *arguments]
    process = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, start_new_session=True)
    os.close(its)
    said, deadline = b"", time.monotonic() + 90
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                said += os.read(ours, 65_536)
            except OSError:  # the other end is closed: the command ended
                return process.wait(10), said
            if interrupt_at and interrupt_at in said:
                process.send_signal(signal.SIGINT)
                interrupt_at = None
        raise AssertionError(f"the command did not end: {said[-500:]!r}")
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def test_training_shows_progress(tmp_path: Path) -> None:
    small = ("--epochs", "2", "--train-images", "320")
    run = str(tmp_path / "run")
    code, said = on_terminal("train", "lenet5", "--data", "digits", "--out", run, *small)
    assert code == 0, said[-500:]
    assert b"epoch 2/2" in said
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l") > -1


def test_an_interrupted_terminal_gets_its_cursor_back(tmp_path: Path) -> None:
    arguments = ("train", "lenet5", "--data", "digits", "--out", str(tmp_path / "run"))
    code, said = on_terminal(*arguments, interrupt_at=b"validation")
    assert code == 130
    assert b"the same command resumes" in said
    assert b"Traceback" not in said
    assert said.rfind(b"\x1b[?25h") > said.rfind(b"\x1b[?25l") > -1


def test_calibration_shows_progress(lenet_run: Run, tmp_path: Path) -> None:
    arguments = ("export", str(lenet_run.path), "--out", str(tmp_path))
    code, said = on_terminal(*arguments, "--recipes", "static_wi8_ai8")
    assert code == 0, said[-500:]
    assert b"lenet5_digits: calibrate" in said
    assert b"Traceback" not in said
