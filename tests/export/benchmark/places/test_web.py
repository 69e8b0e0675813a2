from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import numpy as np
import pytest

from cnn_keras.errors import UsageError
from export.benchmark.places.digest import DigestError
from export.benchmark.places.place import PlaceError
from export.benchmark.places.web import SharedServer, Web, WebOptions
from export.benchmark.places.web_page import litert_js
from tests.export.benchmark.places.web_page.page_jobs import HOST, MEASURED, job_of, outputs_of

File = Callable[[str], Path]

# `urlopen` keeps the proxies of its first call, which another test may have set.
OPENER = build_opener(ProxyHandler({}))


@pytest.fixture(autouse=True)
def no_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    """These pages are not opened by a browser, so that they need no LiteRT.js."""
    monkeypatch.setattr(litert_js, "read", dict)


class FakeBrowser(threading.Thread):
    """Opens the page of a server and does its tasks, as a browser does."""

    def __init__(self, url: str, outputs: bytes) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.outputs = outputs
        self.tasks: list[str] = []
        self.reasons: list[str] = []
        self.start()

    def run(self) -> None:
        page = self.send("api/join", {"host": HOST})["page"]
        sequence = 0
        while "end" not in self.tasks:
            task = self.send(f"api/{page}/task?after={sequence}")
            sequence = task["sequence"]
            self.tasks.append(task["kind"])
            answer = f"api/{page}/answer/{sequence}"
            if task["kind"] == "outputs":
                self.send(answer, self.outputs)
            elif task["kind"] == "time":
                self.send(answer, task["row"] | MEASURED)
            elif task["kind"] == "refused":
                self.reasons.append(task["reason"])

    def send(self, path: str, body: object = None) -> Any:
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with OPENER.open(Request(self.url + path, data), timeout=10) as response:
            return json.load(response)


@contextmanager
def opened(outputs: bytes, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[Web, FakeBrowser]]:
    """Enter a place whose page a browser opens."""
    place, printed = Web(SharedServer("127.0.0.1", 0, 1)), ""
    entering = threading.Thread(target=place.__enter__)
    entering.start()
    while not (found := re.search(r"Open (\S+) in a browser", printed)):
        printed += capsys.readouterr().err
        time.sleep(0.01)
    browser = FakeBrowser(found[1], outputs)
    entering.join(10)
    try:
        yield place, browser
    finally:
        place.__exit__(None, None, None)
        browser.join(10)


def test_a_browser_runs_a_file(file: File, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(file("float32"), num_threads=2)
    expected = outputs_of(job)
    with opened(expected.tobytes(), capsys) as (place, browser):
        assert place.name == "web:Firefox 153 on Android"
        with place.load(job) as loaded:
            np.testing.assert_array_equal(loaded.outputs().raw, expected)
            measured = loaded.measure()
    assert browser.tasks == ["outputs", "time", "end"]
    assert measured.row["latency_p50_ms"] == 0.5
    assert measured.row["num_threads"] == 2
    assert (measured.runtime, measured.runtime_version) == ("LiteRT.js", litert_js.version())
    assert measured.delegate_used == "XNNPACK"
    assert measured.host["browser"] == "Firefox 153"
    assert measured.extra["web"]["runs_per_sample"] == 10


def test_the_page_says_that_outputs_differ(file: File, capsys: pytest.CaptureFixture[str]) -> None:
    job = job_of(file("float32"))

    def refuse(place: Web) -> None:
        with place.load(job) as loaded:
            assert not loaded.outputs().raw.any()
            raise DigestError("an output differs")

    page = opened(bytes(outputs_of(job).nbytes), capsys)
    with page as (place, browser), pytest.raises(DigestError):
        refuse(place)
    assert browser.tasks == ["outputs", "refused", "end"]
    assert browser.reasons == ["an output differs"]


def test_no_browser_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("export.benchmark.places.web.JOIN_SECS", 0.01)
    place = Web(SharedServer("127.0.0.1", 0, 1))
    with pytest.raises(PlaceError, match=r"No browser has opened http://127.0.0.1:\d+/ within"):
        place.__enter__()


def test_options() -> None:
    assert WebOptions().places() == []
    assert [place.name for place in WebOptions(web=True, browsers=2).places()] == ["web", "web"]
    with pytest.raises(UsageError, match="need --web"):
        WebOptions(host="0.0.0.0").places()
    for wrong in ({"browsers": 0}, {"port": 70_000}, {"port": -1}):
        with pytest.raises(UsageError, match="--browsers must be at least 1, and --port from 0"):
            WebOptions(web=True, **wrong).places()


@pytest.mark.parametrize(
    ("number", "word", "exit_code"),
    [(signal.SIGINT, "interrupted", 130), (signal.SIGTERM, "terminated", 143)],
)
def test_a_signal_ends_the_command_at_once(
    number: signal.Signals, word: str, exit_code: int, file: File, tmp_path: Path
) -> None:
    code = (
        "from export.benchmark.places.web_page import litert_js; litert_js.read = dict\n"
        "import sys; from export.cli import main; sys.exit(main())"
    )
    command = [sys.executable, "-c", code, "benchmark", str(file("float32")), "--web"]
    environment = os.environ | {"PYTHONUTF8": "1"}
    with subprocess.Popen(
        [*command, "--host", "0.0.0.0"], stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stderr
        line = process.stderr.readline()
        assert re.fullmatch(r"Open http://\S+:\d+/[\w-]{16,}/ in a browser\n", line)
        while "▄" not in process.stderr.readline():  # the QR code
            pass
        time.sleep(0.2)
        process.send_signal(number)
        start = time.monotonic()
        assert process.wait(10) == exit_code
        assert time.monotonic() - start < 2
        last = [line for line in process.stderr.read().splitlines() if not re.search("[█▀▄]", line)]
        assert len(last) == 1
        assert word in last[0]
