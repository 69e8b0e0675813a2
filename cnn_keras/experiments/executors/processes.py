"""Trains in several processes of this machine, which share its cores."""

from __future__ import annotations

import pickle
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from ...command import ending, log
from .executor import Answer, Result, Task, checked, results_of, unfinished
from .worker import Request

_WORKER = [sys.executable, "-m", f"{__package__}.worker"]


@dataclass(frozen=True)
class Processes:
    """Trains each network in a new process, several at a time.

    The processes log one line per epoch, with the name of the run before it.

    Attributes:
        jobs: Number of trainings at a time.
        threads: Threads of each.
    """

    jobs: int
    threads: int

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        """Train the networks; see `Executor`."""
        reasons: dict[Path, str | None] = {}
        workers = Workers(self.threads)
        pool = ThreadPoolExecutor(self.jobs)
        try:
            asked = {pool.submit(workers.answer, task): task for task in unfinished(tasks)}
            for future in as_completed(asked):
                task = asked[future]
                reasons[task.out.resolve()] = checked(task, future.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            workers.stop()
            raise
        pool.shutdown()
        return results_of(tasks, reasons)


class Workers:
    """The running subprocesses. Its methods may be called from any thread.

    Args:
        threads: Threads of each, see `threads.set_threads`.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._is_stopped = False

    def answer(self, task: Task) -> Answer:
        """Train a network in a subprocess, and wait for its end.

        Returns:
            The answer of the subprocess, or how it ended without one.
        """
        with self._lock:
            if self._is_stopped:
                return None
            process = subprocess.Popen(
                _WORKER,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                process_group=0,  # Ctrl-C reaches this process only, which stops the others once
            )
            self._running.add(process)
        try:
            return self._answer(process, task)
        finally:
            with self._lock:
                self._running.discard(process)

    def _answer(self, process: subprocess.Popen[bytes], task: Task) -> Answer:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        log(f"{task.name}: started")
        with process:
            try:
                process.stdin.write(pickle.dumps(Request(task, self.threads)))
                process.stdin.flush()
            except BrokenPipeError:
                pass  # it has ended
            for line in process.stderr:
                log(f"{task.name}: {line.decode(errors='replace').rstrip()}")
            received = process.stdout.read()
            exit_code = process.wait()
        if received:
            answer: Answer = pickle.loads(received)
            return answer
        return f"Its process {ending(exit_code)}; the same command resumes it."

    def stop(self) -> None:
        """Let all subprocesses save their trainings and end; after a second Ctrl-C, kill them.

        Raises:
            KeyboardInterrupt: There was a second Ctrl-C.
        """
        with self._lock:
            self._is_stopped = True
            running = list(self._running)
        try:
            for process in running:
                if process.stdin:
                    process.stdin.close()
            for process in running:
                process.wait()
        except KeyboardInterrupt:
            for process in running:
                process.kill()
            raise
