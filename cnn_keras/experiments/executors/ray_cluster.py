"""Trains on a Ray cluster, whose nodes share the folder of the runs."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ...command import log
from ...errors import Error, UsageError, first_line
from .executor import Answer, Result, Task, results_of, train_task, unfinished
from .followed import follow

_CONNECT_SECONDS = 5.0
_RETRIES = 3  # of a training whose process or node is lost; it resumes
_SECONDS_TO_SAVE = 60.0  # after Ctrl-C


@dataclass(frozen=True)
class RayCluster:
    """Trains each network as a task of a Ray cluster, in its own process.

    Attributes:
        address: HOST:PORT of the head node, for a machine of the cluster; ray://HOST:PORT from
            elsewhere; or ``"auto"``.
        threads: Threads of each training, and CPUs that it reserves.
        gpus: GPUs that each training reserves.
    """

    address: str
    threads: int
    gpus: int = 0

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """Connect to the cluster.

        Ray writes about lost tasks to stdout, which is for results: it writes to stderr instead.

        Yields:
            The module `ray`.

        Raises:
            UsageError: The address is wrong, or no node is large enough for a training.
            Error: Ray is not installed, or the cluster cannot be reached.
        """
        place = host_and_port(self.address)
        try:
            import ray
        except ModuleNotFoundError as error:
            raise Error(
                '--ray needs Ray: pip install ".[ray]", or pip install ray, on all nodes.'
            ) from error
        if place:
            require_listener(self.address, *place)
        # One attempt to connect, of about 40 seconds, instead of 20.
        os.environ.setdefault("RAY_gcs_server_port_wait_time_s", "1")
        handler = signal.getsignal(signal.SIGTERM)
        with redirect_stdout(sys.stderr):
            try:
                ray.init(self.address, log_to_driver=False, logging_level=logging.ERROR)
            except Exception as error:
                raise Error(f"No Ray cluster at {self.address}: {first_line(error)}") from error
            try:
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGTERM, handler)  # Ray sets its own
                self._require_room(ray)
                yield ray
            finally:
                ray.shutdown()

    def _require_room(self, ray: Any) -> None:
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for resource, option in (("CPU", "threads"), ("GPU", "gpus")):
            count = getattr(self, option)
            if count > (most := max(node.get(resource, 0) for node in nodes)):
                raise UsageError(
                    f"A training needs {count} {resource}s, and the largest node of "
                    f"{self.address} has {most:g}: lower --{option}."
                )

    def require_cluster(self) -> None:
        """Check that the cluster can train; see `connected`."""
        with self.connected():
            pass

    def train_all(self, tasks: Sequence[Task]) -> list[Result]:
        """Train the networks; see `Executor`."""
        left = unfinished(tasks)
        reasons: dict[Path, str | None] = {}
        if left:
            with self.connected() as ray:
                reasons = self._train(ray, left)
        return results_of(tasks, reasons)

    def _train(self, ray: Any, tasks: Sequence[Task]) -> dict[Path, str | None]:
        """Train networks, and return why each failed, by run folder."""
        remote = ray.remote(
            num_cpus=self.threads,
            num_gpus=self.gpus,
            max_calls=1,  # a new process for each, as TensorFlow's threads are set once
            max_retries=_RETRIES,
        )(train_task)
        running = {remote.remote(task.absolute(), self.threads): task for task in tasks}
        return follow(
            running,
            ended=lambda references: ray.wait(references, timeout=1)[0],
            answer=partial(_answer, ray),
            stop=partial(_stop, ray),
        )


def _answer(ray: Any, reference: Any) -> Answer:
    """Return the answer of a training, or why it has none."""
    try:
        answer: Answer = ray.get(reference)
    except ray.exceptions.RayError as error:
        return f"It was lost on the cluster ({first_line(error)}); the same command resumes it."
    return answer


def _stop(ray: Any, references: Sequence[Any]) -> None:
    """Let trainings save themselves and end."""
    for reference in references:
        ray.cancel(reference)
    if references:
        log("Wait for the trainings on the cluster to save themselves.")
        with suppress(Exception):  # of the cluster
            ray.wait(list(references), num_returns=len(references), timeout=_SECONDS_TO_SAVE)


def host_and_port(address: str) -> tuple[str, int] | None:
    """Return the place of a cluster; None for ``"auto"``, which Ray finds itself.

    Raises:
        UsageError: It is not an address.

    Example:
        >>> host_and_port("ray://head:10001"), host_and_port("[::1]:6379")
        (('head', 10001), ('::1', 6379))
    """
    if address == "auto":
        return None
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise UsageError(f"--ray takes HOST:PORT, ray://HOST:PORT or auto, not '{address}'.")
    return host.strip("[]"), int(port)


def require_listener(address: str, host: str, port: int) -> None:
    """Check within seconds that something listens at an address; Ray would try for a minute.

    Raises:
        Error: Nothing does.
    """
    try:
        with socket.create_connection((host, port), _CONNECT_SECONDS):
            pass
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise Error(
            f"No Ray cluster at {address}: {reason}. `ray start --head` starts one, and prints its "
            "address."
        ) from error
