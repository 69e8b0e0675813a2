from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from export.benchmark.places.place import PlaceError
from export.benchmark.places.web_page.page import Page, Task
from export.benchmark.places.web_page.server import PageServer, page_files
from tests.export.benchmark.places.web_page.page_jobs import HOST

File = Callable[[str], Path]
FILES = {"index.html": b"<!doctype html>", "litert/core.wasm": b"\0asm"}


class Response(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Browser:
    """Sends requests as a browser does that has opened the page."""

    def __init__(self, server: PageServer) -> None:
        self.server = server

    def request(
        self, method: str, path: str, body: object = None, prefix: str | None = None, **headers: str
    ) -> Response:
        content = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=10)
        try:
            path = (self.server.prefix if prefix is None else prefix) + path
            connection.request(method, path, content, headers)
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def get(self, path: str, **options: Any) -> Response:
        return self.request("GET", path, **options)

    def post(self, path: str, body: object, **options: Any) -> Response:
        return self.request("POST", path, body, **options)

    def join(self, **facts: object) -> str:
        response = self.post("api/join", {"host": HOST, **facts})
        assert response.status == 200, response.body
        page: str = response.json["page"]
        return page


@contextmanager
def serving(host: str = "127.0.0.1", max_pages: int = 1) -> Iterator[Browser]:
    server = PageServer(host, 0, FILES, max_pages)
    try:
        yield Browser(server)
    finally:
        server.close()


@pytest.fixture
def browser() -> Iterator[Browser]:
    with serving() as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Page:
    browser.join()
    found = browser.server.wait_for_page(1.0)
    assert found
    return found


def test_files_are_served_with_headers_that_allow_nothing_else(browser: Browser) -> None:
    response = browser.get("")
    assert (response.status, response.body) == (200, FILES["index.html"])
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    wasm = browser.get("litert/core.wasm")
    assert (wasm.headers["Content-Type"], wasm.body) == ("application/wasm", b"\0asm")
    again = browser.get("litert/core.wasm", **{"If-None-Match": wasm.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        "../server.py",
        "%2e%2e/server.py",
        "..%2fserver.py",
        "static/../../server.py",
        "/etc/passwd",
        "litert/../../page.py",
        "server.py",
        "package.json",
        "api/",
        "litert",
    ],
)
def test_no_path_leaves_the_page(path: str, browser: Browser) -> None:
    assert browser.get(path).status == 404


def test_the_page_has_files_of_known_types_only() -> None:
    names = set(page_files())
    assert {"index.html", "app.js", "style.css", "runner_worker.js"} <= names
    assert not any(name.endswith(".py") for name in names)


def test_beyond_this_machine_a_token_is_needed() -> None:
    with serving("0.0.0.0") as browser:
        token = browser.server.prefix.strip("/")
        assert len(token) >= 16
        assert browser.server.url.endswith(f":{browser.server.port}/{token}/")
        assert browser.get("").status == 200
        for prefix in ("/", f"/{token[:-1]}/", f"/{token[:-1]}x/", f"/{token}"):
            assert browser.get("", prefix=prefix).status == 403
        assert browser.post("api/join", {"host": HOST}, prefix="/").status == 403
    with serving("0.0.0.0") as browser:
        assert browser.server.prefix.strip("/") != token


def test_other_sites_are_refused(browser: Browser) -> None:
    assert browser.get("", Host="evil.example").status == 403
    assert browser.get("", Host="[").status == 403
    assert browser.post("api/join", {"host": HOST}, Origin="http://evil.example").status == 403
    assert browser.get("", Host=f"localhost:{browser.server.port}").status == 200


def test_only_so_many_browsers_join() -> None:
    with serving(max_pages=2) as browser:
        first = browser.join()
        assert browser.join(page=first) == first  # loaded again
        browser.join()
        pages = [browser.server.wait_for_page(1.0) for _ in range(2)]
        names = [page.name for page in pages if page]
        assert names == ["web:Firefox 153 on Android", "web:Firefox 153 on Android #2"]
        refused = browser.post("api/join", {"host": HOST})
        assert (refused.status, b"--browsers" in refused.body) == (403, True)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[1]", 400),
        (b"[" * 4000, 400),
        ({"host": 1}, 400),
        ({"host": HOST | {"more": 1}}, 400),
        ({"host": HOST | {"browser": "x" * 1000}}, 400),
        (b" " * 5000, 413),
    ],
)
def test_only_browsers_join(body: object, status: int, browser: Browser) -> None:
    assert browser.post("api/join", body).status == status
    assert browser.server.wait_for_page(0.0) is None


def test_the_length_of_a_body_is_stated(browser: Browser) -> None:
    with socket.create_connection(("127.0.0.1", browser.server.port), timeout=10) as connection:
        connection.sendall(
            b"POST /api/join HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        assert b" 411 " in connection.recv(100)


def test_a_page_does_a_task(browser: Browser, page: Page, file: File) -> None:
    path = file("float32")
    page.tell(Task("outputs", {"a": 1}, path, b"images", 4, bytes))
    api = f"api/{page.id}"
    task = browser.get(f"{api}/task?after=0").json
    assert task == {"kind": "outputs", "sequence": 1, "a": 1}
    assert browser.get(f"{api}/file").body == path.read_bytes()
    assert browser.get(f"{api}/images").body == b"images"
    assert browser.post(f"{api}/progress", {"fraction": 0.5}).status == 200
    assert browser.post(f"{api}/progress", {"fraction": "all"}).status == 400
    assert browser.post(f"{api}/answer/1", b"12345").status == 413
    assert browser.post(f"{api}/answer/2", b"1234").status == 400
    assert browser.post(f"{api}/answer/1", b"1234").status == 200
    assert browser.post(f"{api}/answer/1", b"1234").status == 400


def test_a_page_that_has_not_joined_gets_nothing(browser: Browser, page: Page) -> None:
    for path in ("task", "file", "images"):
        assert browser.get(f"api/other/{path}").status == 403
    assert browser.get(f"api/{page.id}/file").status == 404
    assert browser.get(f"api/{page.id}/task?after=x").status == 400
    assert browser.post("api/other/answer/1", b"").status == 403
    assert browser.post(f"api/{page.id}/answer/1", b"1").status == 413


def test_an_address_that_cannot_be_served_is_refused(browser: Browser) -> None:
    for host, port in (("127.0.0.1", browser.server.port), ("192.0.2.1", 0)):
        with pytest.raises(PlaceError, match=rf"cannot be served at {host}.*--host.*--port"):
            PageServer(host, port, FILES, 1)
