"""A browser as a place: a page, served from here, runs files in LiteRT.js."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from cnn_keras.command import log, progress
from cnn_keras.errors import UsageError

from .place import Job, LoadedFile, Measured, Outputs, Place, PlaceError, PlaceOptions

if TYPE_CHECKING:
    from .web_page.page import Page, Task
    from .web_page.server import PageServer

JOIN_SECS = 15 * 60.0  # to take a phone and open the address
ANSWER_SECS = 15 * 60.0  # to download a file and run its images, on a slow phone
END_SECS = 2.0  # to tell a page what it does not answer
MAX_ROW_BYTES = 64_000


class SharedServer:
    """The server of the page, which the places of one command share.

    Args:
        host: Address to listen at.
        port: Port to listen at; 0 for any.
        browsers: Number of browsers that are measured.
    """

    def __init__(self, host: str, port: int, browsers: int) -> None:
        self._host = host
        self._port = port
        self._browsers = browsers
        self._users = 0
        self._server: PageServer | None = None

    def next_page(self) -> Page:
        """Start the server unless it runs, and return the next page that a browser opens.

        Raises:
            PlaceError: The server cannot start, or no browser opens the page in time.
        """
        if self._server is None:
            self._server = self._start()
        page = self._server.wait_for_page(JOIN_SECS)
        if page is None:
            raise PlaceError(
                f"No browser has opened {self._server.url} within {JOIN_SECS / 60:.0f} minutes."
            )
        self._users += 1
        log(f"{page.name} has opened the page")
        return page

    def release(self) -> None:
        """Close the server if no place uses it any more."""
        self._users = max(self._users - 1, 0)
        if self._server and not self._users:
            self._server.close()
            self._server = None

    def _start(self) -> PageServer:
        from .web_page import litert_js
        from .web_page.server import PageServer, page_files

        runtime = {f"litert/{name}": content for name, content in litert_js.read().items()}
        server = PageServer(self._host, self._port, page_files() | runtime, self._browsers)
        where = "a browser" if self._browsers == 1 else f"{self._browsers} browsers"
        log(f"Open {server.url} in {where}")
        if server.is_local:
            log("Only this machine reaches it; --host 0.0.0.0 lets a phone on the network open it.")
        else:
            _show_qr_code(server.url)
        return server


class Web(Place):
    """A browser that opens the page.

    Args:
        server: The server of the page.
    """

    name = "web"

    def __init__(self, server: SharedServer) -> None:
        self._server = server
        self._page: Page | None = None

    def __enter__(self) -> Self:
        """Wait until a browser opens the page; see `Place.__enter__`."""
        try:
            self._page = self._server.next_page()
        except BaseException:
            self._server.release()
            raise
        self.name = self._page.name
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Tell the page that the measurement is over, and close the server."""
        from .web_page.page import Task

        assert self._page
        self._page.tell(Task("end"), 0.0 if isinstance(error, KeyboardInterrupt) else END_SECS)
        self._server.release()

    @contextmanager
    def load(self, job: Job) -> Iterator[LoadedFile]:
        """Offer a file to the page; see `Place.load`."""
        from .digest import DigestError
        from .web_page.documents import require_supported
        from .web_page.page import Task

        assert self._page
        require_supported(job)
        try:
            yield WebFile(self._page, job)
        except DigestError as error:
            self._page.tell(Task("refused", {"reason": str(error)}), END_SECS)
            raise


class WebFile(LoadedFile):
    """A file that a page downloads and runs.

    Args:
        page: The page.
        job: The measurement.
    """

    def __init__(self, page: Page, job: Job) -> None:
        from .web_page.documents import describe_job, known_row

        self._page = page
        self._job = job
        self._images = job.raw_images()
        self._document = {"job": describe_job(job), "row": known_row(job, page)}

    def outputs(self) -> Outputs:
        """Run the images of the job; see `LoadedFile.outputs`."""
        import numpy as np

        from .web_page.documents import require_size

        output, count = self._job.loaded.output, len(self._images)
        size = count * output.shape[-1] * np.dtype(output.dtype).itemsize
        raw = self._ask(
            "outputs", self._document, size, partial(require_size, size=size), ANSWER_SECS
        )
        return Outputs(np.frombuffer(raw, output.dtype).reshape(count, -1), None)

    def measure(self) -> Measured:
        """Time the file; see `LoadedFile.measure`."""
        from .web_page.documents import check_row

        job = self._job
        timing = {**job.timing._asdict(), "warmup_secs": job.warmup_secs}
        secs = ANSWER_SECS + job.warmup_secs + job.timing.max_secs
        document = {**self._document, "timing": timing}
        check = partial(check_row, expected=self._document["row"])
        row = self._ask("time", document, MAX_ROW_BYTES, check, secs)
        return Measured(
            row,
            self._page.host,
            row["versions"],
            row["runtime"],
            row["runtime_version"],
            row["delegate_used"],
            {key: row[key] for key in ("throttling", "web") if key in row},
        )

    def _ask(
        self,
        kind: str,
        document: dict[str, Any],
        max_bytes: int,
        check: Callable[[bytes], Any],
        secs: float,
    ) -> Any:
        from .web_page.page import Task

        task: Task = Task(kind, document, self._job.file, self._images.tobytes(), max_bytes, check)
        with progress(f"{self._job.file.name} at {self._page.name}", 100) as advance:
            done = 0

            def show(fraction: float) -> None:
                nonlocal done
                while done < fraction * 100:
                    advance()
                    done += 1

            return self._page.ask(task, secs, show)


@dataclass(frozen=True, kw_only=True)
class WebOptions(PlaceOptions):
    """The options that name browsers."""

    web: bool = False
    """Measure in a browser: serve a page that runs the files in LiteRT.js, and print its address.
    From a clone, its parts are fetched once with npm."""
    host: str = "127.0.0.1"
    """Address that --web serves the page at; with 0.0.0.0, phones and laptops on the network can
    open it by the token in its address."""
    port: int = 0
    """Port of the page of --web; 0 takes a free one."""
    browsers: int = 1
    """Number of browsers that --web waits for and measures, one after the other."""

    def places(self) -> list[Place]:
        """Return the places that the options name.

        Raises:
            UsageError: An option is wrong, or needs --web.
        """
        if not self.web:
            if (self.host, self.port, self.browsers) != ("127.0.0.1", 0, 1):
                raise UsageError("--host, --port and --browsers need --web.")
            return super().places()
        if self.browsers < 1 or not 0 <= self.port < 2**16:
            raise UsageError("--browsers must be at least 1, and --port from 0 to 65535.")
        server = SharedServer(self.host, self.port, self.browsers)
        return [*super().places(), *(Web(server) for _ in range(self.browsers))]


def _show_qr_code(url: str) -> None:
    """Show an address as a QR code on stderr, if that can show it."""
    import segno

    try:
        "█▀▄".encode(sys.stderr.encoding or "ascii")
    except UnicodeError:
        return
    segno.make(url).terminal(sys.stderr, border=2, compact=True)
