"""The server of the page: its files, and an interface for the browsers that open it.

Beyond this machine, every address begins with a token that is new for each command, and only as
many browsers can join as the command asks for. Only files that are known when the server starts are
served, so that no address leads to another file. An answer is limited to the size that its task
states, and accepted once.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import secrets
import shutil
import socket
import threading
from collections.abc import Callable, Mapping
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from jsonschema import Draft202012Validator

from cnn_keras.command import printable

from ..place import PlaceError
from ..row_schema import schema
from .page import Page, RefusedAnswerError

POLL_SECS = 20.0  # how long a page waits for a task before it asks again
SOCKET_SECS = 60.0  # without a byte from the browser
MAX_JOIN_BYTES = 4096
MAX_MESSAGE_BYTES = 4096
MAX_DISCARDED_BYTES = 1_000_000

_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}

_HEADERS = {
    # Nothing is loaded from elsewhere. WebAssembly is compiled, but no text is evaluated as code.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
        "img-src 'self' blob: data:; connect-src 'self'; worker-src 'self'; media-src blob:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    # Isolated, a page in a secure context has threads and a precise clock.
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class RequestError(Exception):
    """A request is refused.

    Attributes:
        status: The status of the response.
    """

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.status = status


class PageServer(ThreadingHTTPServer):
    """The server, which runs in threads until it is closed.

    Args:
        host: Address to listen at.
        port: Port to listen at; 0 for any.
        files: Content by name, such as ``"litert/core.js"``; ``"index.html"`` is the page.
        max_pages: Number of browsers that can join.

    Attributes:
        url: Address of the page.
        is_local: Whether only this machine reaches it.

    Raises:
        PlaceError: It cannot listen there.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, files: Mapping[str, bytes], max_pages: int) -> None:
        self.is_local = _is_loopback(host)
        if ":" in host:
            self.address_family = socket.AF_INET6
        try:
            super().__init__((host, port), _Handler)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise PlaceError(
                f"The page cannot be served at {host}, port {port} ({reason}): name an address of "
                "this machine with --host, and a free port with --port."
            ) from error
        self.files = {name: (content, _tag(content)) for name, content in files.items()}
        self.prefix = "/" if self.is_local else f"/{secrets.token_urlsafe(12)}/"
        self.port: int = self.server_address[1]
        name = _reachable_name(host)
        self.url = f"http://{f'[{name}]' if ':' in name else name}:{self.port}{self.prefix}"
        self._max_pages = max_pages
        self._pages: dict[str, Page] = {}
        self._joined = threading.Condition()
        self._taken = 0
        threading.Thread(target=partial(self.serve_forever, poll_interval=0.1), daemon=True).start()

    def wait_for_page(self, seconds: float) -> Page | None:
        """Return the next page that joins; None if none does in time."""
        with self._joined:
            if not self._joined.wait_for(lambda: len(self._pages) > self._taken, seconds):
                return None
            self._taken += 1
            return list(self._pages.values())[self._taken - 1]

    def close(self) -> None:
        """Stop listening. Pages that wait for a task see the connection end."""
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore browsers that close a connection early."""

    def join(self, facts: dict[str, Any]) -> Page:
        """Return a new page, or the known one that a browser has loaded again.

        Raises:
            RequestError: The facts are not those of a browser, or enough browsers have joined.
        """
        with self._joined:
            if known := self._pages.get(facts.get("page") or ""):
                return known
            if len(self._pages) >= self._max_pages:
                raise RequestError(
                    HTTPStatus.FORBIDDEN,
                    "The address has been used by another browser; --browsers allows more.",
                )
            host = facts.get("host")
            if not isinstance(host, dict) or not _HOST.is_valid(host) or not host.get("browser"):
                raise RequestError(HTTPStatus.BAD_REQUEST, "These are not the facts of a browser.")
            name = f"web:{printable(' on '.join(filter(None, [host['browser'], host['os']])))}"
            others = sum(page.name.partition(" #")[0] == name for page in self._pages.values())
            page = Page(host, f"{name} #{others + 1}" if others else name)
            self._pages[page.id] = page
            self._joined.notify_all()
            return page

    def page(self, page_id: str) -> Page:
        """Return a page that has joined.

        Raises:
            RequestError: There is none.
        """
        with self._joined:
            if page_id not in self._pages:
                raise RequestError(HTTPStatus.FORBIDDEN, "This page has not joined.")
            return self._pages[page_id]


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    timeout = SOCKET_SECS
    server: PageServer

    def do_GET(self) -> None:
        self._respond(self._get)

    def do_POST(self) -> None:
        self._respond(self._post)

    def log_message(self, *_: object) -> None:
        """Print no line for a request."""

    def version_string(self) -> str:
        return "cnn-keras"

    def _respond(self, method: Callable[[str], None]) -> None:
        self._is_body_read = False
        try:
            method(self._allowed_path())
        except RequestError as error:
            # Unless its body is read, a browser may see a broken connection instead of the answer.
            self._read_body(MAX_DISCARDED_BYTES)
            self.close_connection = True
            self._send(f"{error}\n".encode(), "text/plain; charset=utf-8", error.status)

    def _allowed_path(self) -> str:
        """Return the path of the request without the token.

        Raises:
            RequestError: The token is missing, or another site sends the request.
        """
        path, prefix = urlsplit(self.path).path, self.server.prefix
        if not secrets.compare_digest(path[: len(prefix)].encode(), prefix.encode()):
            raise RequestError(
                HTTPStatus.FORBIDDEN, "Open the whole address: its token is missing."
            )
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        # A site that resolves its own name to this machine would have the same origin.
        if self.server.is_local and not _is_loopback(_without_port(host)):
            raise RequestError(HTTPStatus.FORBIDDEN, "Open the address as it was printed.")
        if origin and origin != f"http://{host}":
            raise RequestError(HTTPStatus.FORBIDDEN, "Another site cannot use this page.")
        return path[len(prefix) :]

    def _get(self, path: str) -> None:
        if found := self.server.files.get(path or "index.html"):
            content, tag = found
            kind = _TYPES[Path(path or "index.html").suffix]
            if self.headers.get("If-None-Match") == tag:
                self._send(b"", kind, HTTPStatus.NOT_MODIFIED, tag)
            else:
                self._send(content, kind, tag=tag)
        elif match := re.fullmatch(r"api/([\w-]+)/(task|file|images)", path):
            page = self.server.page(match[1])
            {"task": self._send_task, "file": self._send_file, "images": self._send_images}[
                match[2]
            ](page)
        else:
            raise RequestError(HTTPStatus.NOT_FOUND, "There is no such file.")

    def _post(self, path: str) -> None:
        if path == "api/join":
            page = self.server.join(_json(self._body(MAX_JOIN_BYTES)))
            self._send_json({"page": page.id})
        elif match := re.fullmatch(r"api/([\w-]+)/progress", path):
            fraction = _json(self._body(MAX_MESSAGE_BYTES)).get("fraction")
            if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
                raise RequestError(HTTPStatus.BAD_REQUEST, "Progress is a number from 0 to 1.")
            self.server.page(match[1]).progress(float(fraction))
            self._send_json({})
        elif match := re.fullmatch(r"api/([\w-]+)/(answer|error)/(\d{1,9})", path):
            page, sequence = self.server.page(match[1]), int(match[3])
            try:
                if match[2] == "answer":
                    task = page.current()
                    page.answer(sequence, self._body(task.max_answer_bytes if task else 0))
                else:
                    error = _json(self._body(MAX_MESSAGE_BYTES))
                    message = printable(" ".join(str(error.get("message")).split()))
                    page.fail(sequence, message, error.get("about") == "file")
            except RefusedAnswerError as refused:
                raise RequestError(HTTPStatus.BAD_REQUEST, f"Refused: {refused}.") from refused
            self._send_json({})
        else:
            raise RequestError(HTTPStatus.NOT_FOUND, "There is no such address.")

    def _body(self, limit: int) -> bytes:
        """Return the body of the request.

        Raises:
            RequestError: It is longer than the limit, or its length is not stated.
        """
        stated = self.headers.get("Content-Length", "")
        if not re.fullmatch(r"\d{1,12}", stated):
            raise RequestError(HTTPStatus.LENGTH_REQUIRED, "State the length of the body.")
        if int(stated) > limit:
            raise RequestError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The body has more than {limit} bytes."
            )
        return self._read_body(limit)

    def _read_body(self, limit: int) -> bytes:
        """Read the body once, at most so many bytes."""
        stated = self.headers.get("Content-Length", "")
        if self._is_body_read or not stated.isdecimal():
            return b""
        self._is_body_read = True
        return self.rfile.read(min(int(stated[:12]), limit))

    def _send_task(self, page: Page) -> None:
        after = parse_qs(urlsplit(self.path).query).get("after", ["0"])[0]
        if not re.fullmatch(r"\d{1,9}", after):
            raise RequestError(HTTPStatus.BAD_REQUEST, "A task is named by its number.")
        found = page.next_task(int(after), POLL_SECS)
        if found is None:
            self._send_json({"kind": "wait"})
            return
        sequence, task = found
        self._send_json({"kind": task.kind, "sequence": sequence, **task.document})

    def _send_file(self, page: Page) -> None:
        task = page.current()
        if task is None or task.file is None:
            raise RequestError(HTTPStatus.NOT_FOUND, "There is no file now.")
        with task.file.open("rb") as file:
            self._start(task.file.stat().st_size, "application/octet-stream")
            shutil.copyfileobj(file, self.wfile)

    def _send_images(self, page: Page) -> None:
        task = page.current()
        self._send(task.images if task else b"", "application/octet-stream")

    def _send_json(self, document: dict[str, Any]) -> None:
        self._send(json.dumps(document).encode(), "application/json")

    def _send(
        self, content: bytes, kind: str, status: HTTPStatus = HTTPStatus.OK, tag: str = ""
    ) -> None:
        self._start(len(content), kind, status, tag)
        self.wfile.write(content)

    def _start(
        self, length: int, kind: str, status: HTTPStatus = HTTPStatus.OK, tag: str = ""
    ) -> None:
        self.send_response(status)
        for name, value in _HEADERS.items():
            self.send_header(name, value)
        self.send_header("Cache-Control", "no-cache" if tag else "no-store")
        if tag:
            self.send_header("ETag", tag)
        if status != HTTPStatus.NOT_MODIFIED:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def page_files() -> dict[str, bytes]:
    """Return the files of the page by name."""
    folder = Path(__file__).with_name("static")
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in _TYPES}


def _host_schema() -> dict[str, Any]:
    row = schema()
    return {"$schema": row["$schema"], "$defs": row["$defs"], "$ref": "#/$defs/host"}


_HOST = Draft202012Validator(_host_schema())


def _json(content: bytes) -> dict[str, Any]:
    """Parse an object of JSON.

    Raises:
        RequestError: It is something else.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise RequestError(HTTPStatus.BAD_REQUEST, "The body is not a JSON object.")
    return found


def _tag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:16]}"'


def _without_port(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _reachable_name(host: str) -> str:
    """Return the address under which other devices reach a server that listens at `host`."""
    if host not in {"", "0.0.0.0", "::"}:
        return host
    family = socket.AF_INET6 if host == "::" else socket.AF_INET
    outside = "2001:db8::1" if host == "::" else "192.0.2.1"  # for documentation: RFC 5737, 3849
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((outside, 9))  # sends nothing; it chooses the interface
            name: str = probe.getsockname()[0]
            return name
    except OSError:
        return socket.gethostname()
