"""The protocol between a worker and its parent, with modules written for it."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

import pytest

from export.worker import Worker, WorkerError, memory_mb

ECHO = """
import os, sys, time
from export.worker import serve

class Refusal(Exception):
    exit_code = 3

def session(requests, answer):
    for request in requests:
        if request == "refuse":
            raise Refusal("refused")
        if request == "fail":
            raise KeyError("no such thing")
        if request == "sleep":
            time.sleep(60)
        if request == "print":
            print("noise", flush=True)
            os.write(1, b"noise of C++")
        if request == "twice":
            answer(request)
        answer(request)
    answer("end")

sys.exit(serve(session))
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "echo_worker.py").write_text(ECHO)
    monkeypatch.syspath_prepend(tmp_path)
    return "echo_worker"


def test_answers_come_in_order(module: str) -> None:
    with Worker(module) as worker:
        for request in ("plain", "grün \udce4", {"a": [1, 2.5, None]}, "print", "x" * 300_000):
            worker.send(request)
            assert worker.receive(30) == request
        worker.send("twice")  # as progress is reported
        assert [worker.receive(30), worker.receive(30)] == ["twice", "twice"]
        worker.end_requests()
        assert worker.receive(30) == "end"
        with pytest.raises(WorkerError) as caught:
            worker.receive(30)
        assert caught.value.exit_code == 0


@pytest.mark.parametrize(
    ("request_", "exit_code", "last_line"),
    [("refuse", 3, "refused"), ("fail", 1, "KeyError: 'no such thing'")],
)
def test_an_exception_ends_the_worker(
    request_: str, exit_code: int, last_line: str, module: str
) -> None:
    with Worker(module) as worker:
        worker.send(request_)
        with pytest.raises(WorkerError) as caught:
            worker.receive(30)
    assert (caught.value.exit_code, caught.value.last_line) == (exit_code, last_line)


def test_a_signal_is_the_exit_code(module: str) -> None:
    with Worker(module) as worker:
        worker._process.send_signal(signal.SIGSEGV)
        worker._process.wait()
        worker.send("plain")  # the worker has ended
        with pytest.raises(WorkerError) as caught:
            worker.receive(30)
    assert caught.value.exit_code == -signal.SIGSEGV


def test_no_answer_in_time_is_an_error_and_the_worker_is_killed(module: str) -> None:
    with Worker(module) as worker:
        worker.send("sleep")
        with pytest.raises(TimeoutError):
            worker.receive(0.05)
    assert worker._process.returncode == -signal.SIGKILL


def test_a_module_in_the_working_directory_shadows_nothing(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "json.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(other)
    with Worker(module) as worker:
        worker.send("plain")
        assert worker.receive(30) == "plain"


def test_another_python_finds_this_package_and_its_own(module: str) -> None:
    with Worker("export.tflite.litert_check", Path(sys.executable)) as worker:
        worker.send("numpy")
        assert worker.receive(60) == "ok"
        worker.send(module)  # which only this process finds
        with pytest.raises(WorkerError) as caught:
            worker.receive(60)
    assert caught.value.last_line == "ModuleNotFoundError: No module named 'echo_worker'"


def test_peak_memory_includes_what_was_freed() -> None:
    before, _ = memory_mb()
    block = bytes(range(256)) * 2**20  # 256 MiB
    now, _ = memory_mb()
    del block
    assert now - before > 200
    assert memory_mb()[1] > now - 10  # the kernel counts in batches
