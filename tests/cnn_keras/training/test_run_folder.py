from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cnn_keras.errors import Error
from cnn_keras.training.run_folder import LOCK, Run, can_start_run, lock_run
from tests.fixtures.command_line import run_main


def test_files_with_a_byte_order_mark_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("größe\n模型\n", encoding="utf-8-sig")
    (tmp_path / "config.json").write_text('{"network": "größe"}', encoding="utf-8-sig")
    run = Run(tmp_path)
    assert run.classes == ("größe", "模型")
    assert run.config == {"network": "größe"}


HOLD = """
import sys, time
from pathlib import Path
from cnn_keras.training.run_folder import lock_run
with lock_run(Path(sys.argv[1])):
    print("locked", flush=True)
    time.sleep(600)
"""


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    out = tmp_path / "runs" / "run"
    process = subprocess.Popen([sys.executable, "-c", HOLD, out], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    with (
        pytest.raises(Error, match=rf"^Process {process.pid} on \S+ is training in {out}: wait "),
        lock_run(out),
    ):
        pass
    assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (out / LOCK).is_file()  # nobody could remove it
    assert can_start_run(out)
    with lock_run(out), pytest.raises(Error, match=f"^Process {os.getpid()} on "), lock_run(out):
        pass
    assert list(out.iterdir()) == []


def test_a_lock_leaves_no_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), lock_run(tmp_path / "runs" / "run"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []
    with lock_run(tmp_path / "runs" / "run"):
        (tmp_path / "runs" / "run" / "config.json").write_text("{}")
    assert [path.name for path in tmp_path.rglob("*")] == ["runs", "run", "config.json"]


def test_a_lock_that_its_owner_removes_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock

    def late(file: int, operation: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / LOCK).unlink()  # its owner ends after this process has opened the file
        flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    with lock_run(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"Process {os.getpid()} ")
        with pytest.raises(Error, match="is training in"), lock_run(tmp_path):
            pass


def test_a_file_system_without_locks_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(file: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with lock_run(tmp_path):
        assert capsys.readouterr().err == (
            f"{tmp_path} is not locked (No locks available): start no other training in it.\n"
        )
    assert list(tmp_path.iterdir()) == []


def test_a_locked_run_can_be_read(
    lenet_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = shutil.copytree(lenet_run.path, tmp_path / "run")
    with lock_run(out):
        assert run_main(capsys, "evaluate", out)[0] == 0
        assert len(Run.open(out).classes) == 10
