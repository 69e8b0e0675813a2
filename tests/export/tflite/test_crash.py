"""A crash is blamed on the file only where LiteRT runs another one."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from export.tflite.crash import exit_error, memory_error, timeout_error
from export.tflite.interpreter import Interpreter, ModelFileError
from export.tflite.litert_check import valid_file
from export.worker import WorkerError

AUDIT = "export.verification.audit"


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGHUP", "SIGXCPU"])
def test_a_signal_from_outside_is_no_damage(name: str) -> None:
    message = str(exit_error("net.tflite", WorkerError(-signal.Signals[name], ""), AUDIT))
    assert message.startswith(
        f"'net.tflite' was not read: its process was ended from outside ({name})"
    )
    assert ("memory" in message) == (name == "SIGKILL")


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGILL", "SIGABRT"])
def test_where_a_valid_file_crashes_too_no_file_is_damaged(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that crashes when it is imported stands for a LiteRT that does."""
    (tmp_path / "crashing.py").write_text(
        f"import os; os.kill(os.getpid(), {signal.Signals[name]})"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert str(exit_error("net.tflite", WorkerError(-signal.SIGSEGV, ""), "crashing")) == (
        "'net.tflite' was not read: LiteRT itself crashes on this machine (SIGSEGV)."
    )


def test_where_litert_cannot_identify_the_processor_no_file_is_damaged() -> None:
    hide = "mount -t tmpfs none /sys && mount --bind /dev/null /proc/cpuinfo && "
    apart = ["unshare", "--mount", "sh", "-c"]
    if subprocess.run([*apart, f"{hide} true"], check=False, stderr=-3).returncode:
        pytest.skip("/proc and /sys can be hidden by root alone")
    program = (
        "from export.tflite.crash import exit_error; from export.worker import WorkerError; "
        "print(exit_error('f', WorkerError(-11, ''), 'export.verification.audit'))"
    )
    command = f"{hide} exec {sys.executable} -c {shlex.quote(program)}"
    done = subprocess.run([*apart, command], check=True, capture_output=True, text=True)
    assert done.stdout == (
        "'f' was not read: LiteRT itself crashes on this machine (SIGSEGV); /proc/cpuinfo and "
        "/sys/devices/system/cpu/possible cannot be read here.\n"
    )


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [("Traceback:\n  ...\nValueError: no\n", "ValueError: no"), ("", "exit code 1")],
)
def test_an_exit_is_explained_by_the_last_line(stderr: str, reason: str) -> None:
    error = exit_error("net.tflite", WorkerError(1, stderr), AUDIT)
    assert str(error) == f"'net.tflite' cannot be read: {reason}"


def test_every_explanation_is_a_model_file_error_of_one_line() -> None:
    for error in (timeout_error("net.tflite", 300.0), memory_error("net.tflite")):
        assert isinstance(error, ModelFileError)
        assert str(error).startswith("'net.tflite' is damaged")
        assert "\n" not in str(error)


def test_the_valid_file_runs() -> None:
    np.testing.assert_array_equal(
        Interpreter(valid_file())(np.ones((1, 2, 2, 1), np.float32)), [[4, 4]]
    )
