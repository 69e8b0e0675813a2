"""The connection between the supervisors of a training: heartbeats, failures and the end.

Process 0 listens, and each other process connects to it. A message is a line of JSON.
"""

from __future__ import annotations

import asyncio
import json
import platform
import socket
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ...command import log
from ...errors import Error, UsageError
from .cluster import Cluster
from .setup import Setup, difference

BEAT = 2.0  # seconds between two heartbeats
SILENCE = 30.0  # seconds without one, after which a process is given up
_MAX_LINE = 2**20


class Peer:
    """Another process.

    Args:
        name: Number of the process and its host.
        reader: From the process.
        writer: To the process.
    """

    def __init__(self, name: str, reader: StreamReader, writer: StreamWriter) -> None:
        self.name, self.reader, self.writer = name, reader, writer
        self.last = time.monotonic()
        self.is_done = False

    def send(self, **message: Any) -> None:
        """Send a message; if the process has ended, reading from it shows that."""
        with suppress(OSError, RuntimeError):
            self.writer.write(json.dumps(message).encode() + b"\n")

    async def receive(self) -> dict[str, Any] | None:
        """Return the next message; None if the connection has ended."""
        try:
            line = await self.reader.readline()
            self.last = time.monotonic()
            return dict(json.loads(line)) if line else None
        except (OSError, ValueError):
            return None


class Link:
    """The connections of one process: of process 0 to all others, of each other one to process 0.

    Args:
        cluster: The processes.
        setup: What all processes must have in common.
        on_failure: Called once with the line of the first failure of another process.
    """

    def __init__(
        self, cluster: Cluster, setup: Setup, on_failure: Callable[[str, int], None]
    ) -> None:
        self.cluster, self.setup, self.on_failure = cluster, setup, on_failure
        self.name = process_name(cluster.process)
        self.peers: dict[int, Peer] = {}
        self._differences: dict[int, str] = {}
        self._server: asyncio.Server | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._changed = asyncio.Event()

    async def join(self, timeout: float) -> str:
        """Wait for the other processes.

        Args:
            timeout: Seconds to wait.

        Returns:
            Address and port of JAX's coordinator.

        Raises:
            UsageError: A process has another setup.
            Error: Not all processes came in time, or process 0 cannot be reached.
        """
        log(
            f"Process {self.cluster.process} of {self.cluster.num_processes}: wait for the others "
            f"at {self.cluster.coordinator}."
        )
        if self.cluster.process == 0:
            await self._wait_for_others(timeout)
            host, _ = self.cluster.address
            address = f"[{host}]:{free_port()}" if ":" in host else f"{host}:{free_port()}"
            for peer in self.peers.values():
                peer.send(start=address)
        else:
            address = await self._connect(timeout)
        self._tasks = [asyncio.create_task(self._read(peer)) for peer in self.peers.values()]
        self._tasks.append(asyncio.create_task(self._watch()))
        return address

    def send_failure(self, line: str, exit_code: int) -> None:
        """Tell the other processes that this one has failed."""
        for peer in self.peers.values():
            peer.send(failed=line, exit_code=exit_code)

    async def finish(self) -> None:
        """Tell the others that this process is done; process 0 waits until all are."""
        for peer in self.peers.values():
            peer.send(done=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(SILENCE):
                while self._server and not all(peer.is_done for peer in self.peers.values()):
                    self._changed.clear()
                    await self._changed.wait()

    async def close(self) -> None:
        """Close all connections when what was sent has left."""
        for task in self._tasks:
            task.cancel()
        for peer in self.peers.values():
            with suppress(OSError, TimeoutError):
                await asyncio.wait_for(peer.writer.drain(), BEAT)
            peer.writer.close()
        if self._server:
            self._server.close()

    async def _wait_for_others(self, timeout: float) -> None:
        host, port = self.cluster.address
        local = host in ("localhost", "127.0.0.1", "::1")
        try:
            self._server = await asyncio.start_server(
                self._accept, host if local else None, port, limit=_MAX_LINE
            )
        except OSError as error:
            raise Error(
                f"Process 0 cannot listen at {self.cluster.coordinator} ({error.strerror}): name "
                "an address of its host and a free port with --coordinator."
            ) from error
        try:
            async with asyncio.timeout(timeout):
                while len(self.peers) < self.cluster.num_processes - 1:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            count = self.cluster.num_processes
            missing = [str(index) for index in range(1, count) if index not in self.peers]
            line = (
                f"{len(missing)} of {count} processes did not reach process 0 at "
                f"{self.cluster.coordinator} within {timeout:.0f} s: those with the numbers "
                f"{', '.join(missing)}. Start them all, or raise --join-timeout."
            )
            self.send_failure(line, 1)
            raise Error(line) from None
        for index, peer in sorted(self.peers.items()):
            if line := self._differences.get(index, ""):
                self.send_failure(line, UsageError.exit_code)
                await peer.writer.drain()
                raise UsageError(line)

    async def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Let a process in that introduces itself; close other connections."""
        peer = Peer("", reader, writer)
        try:
            message = await asyncio.wait_for(peer.receive(), SILENCE) or {}
            index, setup = int(message["process"]), Setup(**message["setup"])
            peer.name = process_name(index, str(message["host"]))
        except (KeyError, TypeError, ValueError, TimeoutError):
            writer.close()
            return
        if index in self.peers or not 0 < index < self.cluster.num_processes:
            line = (
                f"{peer.name} is the second one with this number, or beyond the "
                f"{self.cluster.num_processes} processes: give each process its own --process-id."
            )
            peer.send(failed=line, exit_code=UsageError.exit_code)
            writer.close()
            return
        self._differences[index] = difference(self.setup, setup, self.name, peer.name)
        self.peers[index] = peer
        self._changed.set()

    async def _connect(self, timeout: float) -> str:
        deadline = time.monotonic() + timeout
        while True:
            try:
                reader, writer = await asyncio.wait_for(
                    asyncio.open_connection(*self.cluster.address, limit=_MAX_LINE),
                    max(0.1, deadline - time.monotonic()),
                )
                break
            except OSError as error:  # also a timeout
                if time.monotonic() + 0.5 > deadline:
                    raise Error(
                        f"Process {self.cluster.process} cannot reach process 0 at "
                        f"{self.cluster.coordinator} within {timeout:.0f} s "
                        f"({error.strerror or 'no answer'}): check --coordinator, and that process "
                        "0 runs."
                    ) from error
                await asyncio.sleep(0.5)
        peer = self.peers[0] = Peer(process_name(0, self.cluster.address[0]), reader, writer)
        peer.send(process=self.cluster.process, host=platform.node(), setup=self.setup._asdict())
        try:
            async with asyncio.timeout(timeout + SILENCE):
                message = await peer.receive()
        except TimeoutError:
            message = None
        if message is None:
            raise Error(
                f"{peer.name} has ended, or does not answer, before all processes have come: its "
                "own output says why."
            )
        if line := message.get("failed"):
            raise (UsageError if message["exit_code"] == UsageError.exit_code else Error)(line)
        return str(message["start"])

    async def _read(self, peer: Peer) -> None:
        """Follow the messages of a process until it is done or fails."""
        while (message := await peer.receive()) is not None:
            if "failed" in message:
                self._fail(message["failed"], message["exit_code"])
                return
            if message.get("done"):
                peer.is_done = True
                self._changed.set()
        if not peer.is_done:
            self._fail(f"{peer.name} has ended without a message", 1)

    async def _watch(self) -> None:
        """Send heartbeats, and give up processes that send none."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(BEAT)
            now = time.monotonic()
            if now - last > SILENCE / 2:  # this process itself was stopped
                for peer in self.peers.values():
                    peer.last = now
            last = now
            for peer in self.peers.values():
                peer.send(beat=True)
                if now - peer.last > SILENCE and not peer.is_done:
                    self._fail(f"{peer.name} has not answered for {SILENCE:.0f} s", 1)

    def _fail(self, line: str, exit_code: int) -> None:
        """Report a failure, and tell the others if this is process 0."""
        if self._server:
            self.send_failure(line, exit_code)
        self.on_failure(line, exit_code)


def process_name(index: int, host: str | None = None) -> str:
    """Return how messages name a process."""
    return f"Process {index} on {host or platform.node()}"


def free_port() -> int:
    """Return a port of this host that is free now."""
    with socket.socket() as found:
        found.bind(("", 0))
        return int(found.getsockname()[1])
