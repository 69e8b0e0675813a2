"""Chromium, and `cnn-keras benchmark --web` beside it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"  # Debian's
OTHER_HOST = "board.test"
"""Another name of this machine: a page from it is not in a secure context, as on a network."""
TIMEOUT_SECS = 120


@contextmanager
def chromium(*options: str) -> Iterator[Browser]:
    """Run Chromium without a window."""
    arguments = ["--no-sandbox", f"--host-resolver-rules=MAP {OTHER_HOST} 127.0.0.1", *options]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class WebCommand:
    """A command that waits for a browser.

    Args:
        files: The files that it measures.
        options: Further options.

    Attributes:
        url: Address of the page.
    """

    def __init__(self, files: Sequence[Path], *options: str) -> None:
        short = ["--min-secs", "0", "--num-runs", "5", "--warmup-secs", "0", "--json"]
        self._folder = tempfile.TemporaryDirectory()
        out = f"{self._folder.name}/rows.jsonl"
        arguments = [*map(str, files), "--web", *short, "--out", out, *options]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "export", "benchmark", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        assert self._process.stderr
        self._out: list[str] = []
        self._lines: list[str] = []
        for line in self._process.stderr:
            self._lines.append(line)
            if found := re.match(r"Open (\S+) in", line):
                self.url = found[1]
                break
        else:
            raise AssertionError("".join(self._lines))
        self._readers = [
            threading.Thread(target=self._lines.extend, args=[self._process.stderr]),
            threading.Thread(target=self._out.extend, args=[self._process.stdout]),
        ]
        for thread in self._readers:
            thread.start()

    def finish(self, page: Page) -> tuple[int, Any, str]:
        """Wait for the end; return the exit code, the document and the lines on stderr.

        Args:
            page: Its events are handled meanwhile.
        """
        deadline = time.monotonic() + TIMEOUT_SECS
        while self._process.poll() is None:
            assert time.monotonic() < deadline, "".join(self._lines)
            page.wait_for_timeout(50)
        for thread in self._readers:
            thread.join()
        out = "".join(self._out)
        return self._process.returncode, json.loads(out) if out else None, "".join(self._lines)

    def stop(self) -> None:
        """End the command, if it still runs."""
        self._process.kill()
        for thread in self._readers:
            thread.join()
        self._process.__exit__(None, None, None)  # closes its pipes
        self._folder.cleanup()


@contextmanager
def web_command(files: Sequence[Path], *options: str) -> Iterator[WebCommand]:
    """Run a command that waits for a browser, and end it."""
    command = WebCommand(files, *options)
    try:
        yield command
    finally:
        command.stop()


class Requests:
    """The addresses that a page asks for, and what fails in it."""

    def __init__(self, page: Page) -> None:
        self.urls: list[str] = []
        self.errors: list[str] = []
        page.on("request", lambda request: self.urls.append(request.url))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._note)

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(message.text)
