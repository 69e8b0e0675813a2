"""A crash is attributed to the file only if LiteRT runs a valid one."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from export.cli import main
from export.tflite.crash_message import exit_error, memory_error, timeout_error
from export.tflite.interpreter import ModelFileError
from export.worker import WorkerError
from tests.fixtures.android.write_expected import INTEGERS, MODELS
from tests.fixtures.android.write_models import FOLDER
from tests.fixtures.mutations import mutate

AUDIT = "export.verification.audit"
FILES = [*sorted(MODELS.glob("lenet5_*.tflite")), *sorted(INTEGERS.glob("lenet5_*.tflite"))]

# Of the first 12,000 seeds this one still crashes LiteRT, at the first image: FULLY_CONNECTED has
# another operation's options. `flatbuffer.parse` refuses nine others.
CRASHING_SEED = 5825


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
        "from export.tflite.crash_message import exit_error; "
        "from export.worker import WorkerError; "
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


def damaged(seed: int, folder: Path) -> Path:
    path = folder / f"{seed}.tflite"
    path.write_bytes(mutate(FILES[seed % len(FILES)].read_bytes(), seed))
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    """Run a command on a damaged file; return its exit code, and stderr if there is no result."""
    code = main([*map(str, arguments)])
    out, err = capfd.readouterr()
    if out:
        assert (code in (0, 1), err) == (True, "")
    else:
        assert code in (1, 2)
        assert re.fullmatch(r"cnn-keras: .+\.\n", err), err
        assert "Traceback" not in err
    return code, err


def test_commands_report_a_crash_of_litert(
    lenet_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = damaged(CRASHING_SEED, tmp_path)
    assert run(capfd, "audit", file) == (0, "")
    for broken, command in ((FOLDER / "no_scale.tflite", "audit"), (file, "verify")):
        run_folder = ("--run", lenet_run.path) if command == "verify" else ()
        code, error = run(capfd, command, broken, *run_folder)
        assert code == 1
        assert error.startswith(f"cnn-keras: '{broken}' is damaged: LiteRT crashed on it (SIG")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_commands_give_a_result_or_one_line_for_damaged_files(
    seed: int, lenet_run: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = damaged(seed, tmp_path)
    run(capfd, "audit", file)
    run(capfd, "verify", file, "--run", lenet_run.path)
