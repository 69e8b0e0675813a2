"""A stand-in for `adbd`, the daemon on an Android phone, that the real `adb` connects to over TCP.

It speaks the protocol of transports and streams, the services `shell,v2` and `sync` (without the
second version of stat), and nothing else.

Reference:
    AOSP, packages/modules/adb: ``protocol.txt``, ``SYNC.TXT``, ``shell_protocol.h``.
"""

from __future__ import annotations

import queue
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

_VERSION = 0x01000001
_MAX_PAYLOAD = 256 * 1024
_AUTH_TOKEN = 1
_STDOUT, _STDERR, _EXIT = 1, 2, 3  # packets of the shell protocol
_CHUNK = 64 * 1024  # of a file, in the sync protocol


class Device(Protocol):
    """What the daemon runs on."""

    model: str

    def run(self, command: str, write: Callable[[bool, bytes], None]) -> int:
        """Run a shell command, and return its exit code.

        Args:
            command: The command.
            write: Receives its output: whether it is stderr, and the bytes.
        """

    def path(self, remote: str) -> Path:
        """Return the file on this machine that stands for one of the device."""

    def store(self, remote: str, data: bytes, mode: int) -> None:
        """Write a file.

        Raises:
            OSError: The device has no space, or the folder does not exist.
        """


class Adbd:
    """A daemon that listens on a port of 127.0.0.1.

    Args:
        device: What it runs on.
        authorized: Whether the device trusts this machine's key.
        answers: Whether it answers at all; a daemon that does not is "offline".

    Attributes:
        address: Where it listens, which is also the serial number of the device.
    """

    def __init__(self, device: Device, authorized: bool = True, answers: bool = True) -> None:
        self._device = device
        self._authorized = authorized
        self._answers = answers
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._connections: list[_Connection] = []
        self.address = "127.0.0.1:{1}".format(*self._listening.getsockname())
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Stop listening, and close the connections, as when the cable is pulled."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for connection in self._connections:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listening.accept()
            except OSError:  # closed
                return
            connection = _Connection(accepted, self._device, self._authorized)
            self._connections.append(connection)
            if self._answers:
                threading.Thread(target=connection.serve, daemon=True).start()


class _Connection:
    """A connection of an `adb` server, with any number of streams."""

    def __init__(self, connected: socket.socket, device: Device, authorized: bool) -> None:
        self._socket = connected
        self._device = device
        self._authorized = authorized
        self._sending = threading.Lock()
        self._streams: dict[int, _Stream] = {}

    def close(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for stream in list(self._streams.values()):
            stream.end()

    def serve(self) -> None:
        """Answer messages until the connection is closed."""
        with suppress(OSError, EOFError):
            while True:
                command, first, second, length, _, _ = struct.unpack("<4s5I", self._read(24))
                self._handle(command, first, second, self._read(length))
        self.close()

    def send(self, command: bytes, first: int, second: int, data: bytes = b"") -> None:
        code = int.from_bytes(command, "little")
        header = struct.pack(
            "<4s5I", command, first, second, len(data), sum(data) & 0xFFFFFFFF, code ^ 0xFFFFFFFF
        )
        with self._sending:
            self._socket.sendall(header + data)

    def _read(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            if not (part := self._socket.recv(length - len(data))):
                raise EOFError
            data += part
        return data

    def _handle(self, command: bytes, first: int, second: int, data: bytes) -> None:
        if command in (b"CNXN", b"AUTH"):
            if not self._authorized:
                self.send(b"AUTH", _AUTH_TOKEN, 0, bytes(20))
                return
            model = self._device.model.replace(" ", "_")
            banner = (
                f"device::ro.product.name=stand_in;ro.product.model={model};"
                "ro.product.device=stand_in;features=shell_v2,cmd"
            )
            self.send(b"CNXN", _VERSION, _MAX_PAYLOAD, banner.encode())
        elif command == b"OPEN":
            stream = _Stream(self, len(self._streams) + 1, first)
            self._streams[stream.local] = stream
            self.send(b"OKAY", stream.local, first)
            service = data.rstrip(b"\0").decode()
            threading.Thread(target=self._serve_stream, args=(stream, service), daemon=True).start()
        elif stream := self._streams.get(second):
            if command == b"OKAY":
                stream.acknowledged.release()
            elif command == b"WRTE":
                stream.received.put(data)
                self.send(b"OKAY", stream.local, stream.remote)
            elif command == b"CLSE":
                stream.end()

    def _serve_stream(self, stream: _Stream, service: str) -> None:
        with suppress(OSError, EOFError):
            kind, _, argument = service.partition(":")
            if kind.startswith("shell,v2"):
                self._shell(stream, argument)
            elif kind == "sync":
                _Sync(stream, self._device).serve()
            if stream.is_open:
                self.send(b"CLSE", stream.local, stream.remote)

    def _shell(self, stream: _Stream, command: str) -> None:
        def write(is_error: bool, data: bytes) -> None:
            kind = _STDERR if is_error else _STDOUT
            stream.write(struct.pack("<BI", kind, len(data)) + data)

        code = self._device.run(command, write)
        stream.write(struct.pack("<BIB", _EXIT, 1, code & 0xFF))


class _Stream:
    """A stream between a service and a client."""

    def __init__(self, connection: _Connection, local: int, remote: int) -> None:
        self.local = local
        self.remote = remote
        self.received = queue.Queue[bytes | None]()
        self.acknowledged = threading.Semaphore(1)
        self.is_open = True
        self._connection = connection
        self._buffer = b""

    def end(self) -> None:
        self.is_open = False
        self.received.put(None)
        self.acknowledged.release()

    def write(self, data: bytes) -> None:
        for start in range(0, len(data), _MAX_PAYLOAD):
            self.acknowledged.acquire()  # each message waits for the answer to the previous one
            if not self.is_open:
                raise EOFError
            part = data[start : start + _MAX_PAYLOAD]
            self._connection.send(b"WRTE", self.local, self.remote, part)

    def read(self, length: int) -> bytes:
        while len(self._buffer) < length:
            part = self.received.get()
            if part is None:
                raise EOFError
            self._buffer += part
        data, self._buffer = self._buffer[:length], self._buffer[length:]
        return data


class _Sync:
    """The service that copies files."""

    def __init__(self, stream: _Stream, device: Device) -> None:
        self._stream = stream
        self._device = device

    def serve(self) -> None:
        while True:
            request, length = struct.unpack("<4sI", self._stream.read(8))
            name = self._stream.read(length).decode() if request != b"QUIT" else ""
            if request == b"STAT":
                self._stat(name)
            elif request == b"SEND":
                self._receive(name)
            elif request == b"RECV":
                self._send(name)
            else:
                return

    def _stat(self, name: str) -> None:
        try:
            found = self._device.path(name).stat()
            size = min(found.st_size, 2**32 - 1)
            answer = struct.pack("<4s3I", b"STAT", found.st_mode, size, int(found.st_mtime))
        except OSError:
            answer = struct.pack("<4s3I", b"STAT", 0, 0, 0)
        self._stream.write(answer)

    def _receive(self, name: str) -> None:
        path, _, mode = name.rpartition(",")
        parts = []
        while True:
            kind, length = struct.unpack("<4sI", self._stream.read(8))
            if kind == b"DONE":
                break
            parts.append(self._stream.read(length))
        try:
            self._device.store(path, b"".join(parts), int(mode) & 0o777)
        except OSError as error:
            self._fail(f"couldn't create file: {error.strerror}")
        else:
            self._stream.write(struct.pack("<4sI", b"OKAY", 0))

    def _send(self, name: str) -> None:
        try:
            data = self._device.path(name).read_bytes()
        except OSError as error:
            self._fail(f"open failed: {error.strerror}")
            return
        for start in range(0, len(data), _CHUNK):
            part = data[start : start + _CHUNK]
            self._stream.write(struct.pack("<4sI", b"DATA", len(part)) + part)
        self._stream.write(struct.pack("<4sI", b"DONE", 0))

    def _fail(self, reason: str) -> None:
        self._stream.write(struct.pack("<4sI", b"FAIL", len(reason)) + reason.encode())
