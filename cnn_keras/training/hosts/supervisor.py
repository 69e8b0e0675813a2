"""Run the processes of a training, and end them together.

The process that a user starts does not train. It starts one that does, or several, and watches it:
JAX ends a process without a word when another one is lost, or lets it wait forever. The supervisors
of all hosts tell each other which process has failed.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any

from ...command import Outcome, Terminated, ending
from ...errors import Error, UsageError
from .cluster import Cluster
from .link import BEAT, SILENCE, Link, free_port, process_name
from .setup import Setup
from .worker import Report, Work, run_worker

# A process whose error may be that of another one waits for this long for the cause.
_GRACE = SILENCE + 3 * BEAT
_START = 300.0  # seconds in which a worker imports its packages, perhaps from a slow disk


def supervise(work: Work, clusters: Sequence[Cluster], setup: Setup, timeout: float) -> Outcome:
    """Train in processes of their own, together with those of other hosts.

    Args:
        work: What each process does.
        clusters: The place of each process that is started here: one of several hosts, or all.
        setup: What all processes must have in common.
        timeout: Seconds to wait for the other processes.

    Returns:
        The outcome of the first process here.

    Raises:
        UsageError: Processes have different options or versions.
        Error: A process has failed, or does not come.
        KeyboardInterrupt: The processes were interrupted before they trained.
    """
    with tempfile.TemporaryDirectory(prefix="cnn-keras-") as folder:
        return asyncio.run(_Supervisor(work, clusters, setup, Path(folder)).run(timeout))


class _Worker:
    """A process that trains.

    Args:
        work: What it does.
        cluster: Its place.
        coordinator: Address of JAX's coordinator.
        folder: A temporary folder.
    """

    def __init__(self, work: Work, cluster: Cluster, coordinator: str, folder: Path) -> None:
        folder.mkdir()
        self.folder, self.cluster = folder, cluster
        context = multiprocessing.get_context("spawn")
        self.connection: Connection
        self.connection, other = context.Pipe(duplex=False)
        arguments = (work, cluster, coordinator, folder, other)
        self.process: SpawnProcess = context.Process(target=run_worker, args=arguments)
        self.process.start()
        other.close()
        self.name = process_name(cluster.process)
        self.deadline = time.monotonic() + _START
        self.report: Report | None = None

    def read(self) -> bool:
        """Read what the process has sent; return whether it has ended."""
        try:
            while self.report is None and self.connection.poll():
                self.report = self.connection.recv()
                self.deadline = time.monotonic() + SILENCE
        except (EOFError, OSError):
            self.process.join(BEAT)
            return True
        return self.report is not None

    def failure(self) -> Report | None:
        """Return how the process has failed after its end; None if it has not."""
        if self.report is None:
            code = self.process.exitcode
            how = "has closed its connection" if code is None else ending(code)
            output = self.folder / "output.txt"
            return Report(
                None,
                f"{self.name} {how}",
                is_cause=code != -signal.SIGABRT,  # by JAX, when it loses another process
                details=output.read_text("utf-8", "replace") if output.is_file() else "",
            )
        if self.report.outcome is None:
            colon = "" if self.report.is_interrupted else ":"
            return self.report._replace(line=f"{self.name}{colon} {self.report.line}")
        return None


class _Supervisor:
    """See `supervise`."""

    def __init__(self, work: Work, clusters: Sequence[Cluster], setup: Setup, folder: Path) -> None:
        self.work, self.clusters, self.folder = work, clusters, folder
        self.workers: list[_Worker] = []
        self.signals: list[int] = []
        is_alone = len(clusters) == clusters[0].num_processes
        self.link = None if is_alone else Link(clusters[0], setup, self._fail)

    async def run(self, timeout: float) -> Outcome:
        loop = asyncio.get_running_loop()
        self.end: asyncio.Future[Report | None] = loop.create_future()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._pass_on, number)
        try:
            coordinator = f"127.0.0.1:{free_port()}"
            if self.link:
                coordinator = await self._join(self.link, timeout)
            for index, cluster in enumerate(self.clusters):
                folder = self.folder / str(index)
                self.workers.append(_Worker(self.work, cluster, coordinator, folder))
                loop.add_reader(self.workers[-1].connection.fileno(), self._read, self.workers[-1])
            watch = asyncio.create_task(self._watch())
            failure = await self.end
            watch.cancel()
            if failure is not None:
                self._raise(failure)
            if self.link:
                await self.link.finish()
        finally:
            self._kill()
            if self.link:
                await self.link.close()
        first = self.workers[0].report
        assert first is not None
        assert first.outcome is not None
        return first.outcome

    async def _join(self, link: Link, timeout: float) -> str:
        """Wait for the other processes, or for a signal.

        Raises:
            KeyboardInterrupt: A signal has arrived.
        """
        joined = asyncio.ensure_future(link.join(timeout))
        waited: list[asyncio.Future[Any]] = [joined, self.end]
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if joined.done():
            return joined.result()
        joined.cancel()
        raise self._interruption()

    def _read(self, worker: _Worker) -> None:
        """Follow a worker; react to its end."""
        loop = asyncio.get_running_loop()
        if not worker.read():
            return
        loop.remove_reader(worker.connection.fileno())
        worker.deadline = float("inf")
        failure = worker.failure()
        if failure is not None and failure.is_cause:
            self._fail_here(failure)
        elif failure is not None:
            loop.call_later(_GRACE, self._fail_here, failure)
        elif all(each.report and each.report.outcome for each in self.workers):
            self._end(None)

    async def _watch(self) -> None:
        """Give up workers that send no heartbeats."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            was_stopped, last = now - last > SILENCE / 2, now
            for worker in self.workers:
                if now > worker.deadline and not was_stopped:
                    line = f"{worker.name} has not answered for {SILENCE:.0f} s"
                    self._fail_here(Report(None, line))

    def _fail_here(self, failure: Report) -> None:
        """End the training everywhere after a failure of a process of this host."""
        if not self.end.done() and self.link:
            self.link.send_failure(failure.line, failure.exit_code)
        self._end(failure)

    def _fail(self, line: str, exit_code: int) -> None:
        """End the training here after a failure elsewhere."""
        self._end(Report(None, line, exit_code))

    def _end(self, failure: Report | None) -> None:
        if not self.end.done():
            self.end.set_result(failure)

    def _pass_on(self, number: int) -> None:
        """Pass a signal on: the first lets the training save itself, the second ends it."""
        self.signals.append(number)
        if not self.workers or len(self.signals) > 1:
            line = f"{process_name(self.clusters[0].process)} was ended by a signal"
            self._fail_here(Report(None, line, 128 + number))
        for worker in self.workers:
            if worker.process.is_alive():
                os.kill(worker.process.pid or 0, number)

    def _interruption(self) -> KeyboardInterrupt:
        return Terminated() if signal.SIGTERM in self.signals else KeyboardInterrupt()

    def _kill(self) -> None:
        for worker in self.workers:
            worker.process.kill()  # also one that is stopped
        for worker in self.workers:
            worker.process.join()

    def _raise(self, failure: Report) -> None:
        """Raise the error of a failure.

        Raises:
            UsageError: An option is wrong.
            Error: A process has failed.
            KeyboardInterrupt: A second signal has arrived.
        """
        if self.signals and failure.is_interrupted:
            raise self._interruption()
        if failure.exit_code == UsageError.exit_code:
            raise UsageError(failure.line)
        line = failure.line.rstrip(".")
        raise Error(
            f"{line}. All processes end; the same command resumes the training.",
            details=failure.details,
        )
