"""A scripted phone: a folder is its file system, and Debian's shell runs its scripts.

Android's own commands (`am`, `getprop`, ...) are links to a small client that asks this process.
The app and `benchmark_model` run files in LiteRT here, so that a wrong file has wrong outputs.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.places.android_phone import app, benchmark_model
from tests.places.android_phone.recorded import COMMANDS, FILES, PROPERTIES

COMMAND_NAMES = ("am", "dumpsys", "getprop", "input", "logcat", "pidof", "pm", "uname", "wm")
_PATHS = re.compile(r"(?<![\w/.-])/(?=(?:data/local/tmp|sdcard|proc|sys)\b)")

# The client that stands for a command of the phone: its name is the first argument.
_CLIENT = """#!{python} -IS
import json, os, socket, sys
asked = socket.socket(socket.AF_UNIX)
asked.connect({address!r})
name = os.path.basename(sys.argv[0])
asked.sendall(json.dumps([name, sys.argv[1:], os.getcwd()]).encode() + b"\\n")
answer = json.loads(asked.makefile("rb").readline())
sys.stdout.write(answer[0])
sys.exit(answer[1])
"""

# `taskset` of this machine refuses cores that it does not have.
_TASKSET = '#!/bin/sh\necho "$1" > {root}/taskset\nshift\nexec "$@"\n'


class Phone:
    """A phone, on which a test may change everything.

    Attributes:
        model: Its name.
        root: The folder that is its file system.
        abis: The binary interfaces that it runs.
        is_app_installed: Whether the app is installed.
        app: How the app behaves; see `app.BEHAVIORS`.
        free_bytes: How much may be stored on it.
        on_start: Called when the app or `benchmark_model` starts.
        damage: Changes the bytes of each file that is copied to it.
        flip: Whether its kernels compute a wrong output.
        uses_xnnpack: Whether `benchmark_model` applies XNNPACK.
        started: The commands that started something.
    """

    def __init__(self) -> None:
        self.model = "Pixel 8"
        self.root = Path(tempfile.mkdtemp(prefix="phone-"))
        self.abis = "arm64-v8a,armeabi-v7a"
        self.is_app_installed = True
        self.app = "works"
        self.free_bytes = 10**9
        self.on_start: Callable[[], None] = lambda: None
        self.damage: Callable[[str, bytes], bytes] = lambda name, data: data
        self.flip = False
        self.uses_xnnpack = True
        self.started: list[str] = []
        self.app_pid = ""
        self.ended = threading.Event()
        for name, text in FILES.items():
            self.path(name).parent.mkdir(parents=True, exist_ok=True)
            self.path(name).write_text(text, encoding="utf-8")
        for folder in ("data/local/tmp", "sdcard/Android/data"):
            Path(self.root, folder).mkdir(parents=True)
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(self.root / "socket"))
        self._listening.listen()
        self._processes: list[subprocess.Popen[bytes]] = []
        self._write_commands()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self._listening.shutdown(socket.SHUT_RDWR)  # ends the thread that waits in `accept`
        self._listening.close()
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)
        shutil.rmtree(self.root)

    def files(self) -> list[str]:
        """List what a place may have left behind."""
        folders = (self.path(name) for name in ("/data/local/tmp", app.FOLDER))
        return sorted(path.name for each in folders for path in each.glob("*"))

    def running(self) -> list[str]:
        """List the scripts that are running."""
        running = [process for process in self._processes if process.poll() is None]
        return [str(process.args) for process in running]

    def path(self, remote: str) -> Path:
        """Return the file on this machine that stands for one of the phone."""
        return self.root / remote.lstrip("/")

    def store(self, remote: str, data: bytes, mode: int) -> None:
        """Write a file, as `adbd` does."""
        if len(data) > self.free_bytes:
            raise OSError(28, "No space left on device")
        path = self.path(remote)
        path.parent.mkdir(parents=True, exist_ok=True)
        if data[:4] == b"\x7fELF":  # a program for the phone, which this process runs
            shutil.copy(self.root / "bin/client", path.with_name("benchmark_model"))
            return
        path.write_bytes(self.damage(path.name, data))

    def run(self, command: str, write: Callable[[bool, bytes], None]) -> int:
        """Run a shell command in its own session, as `adbd` does."""
        with subprocess.Popen(
            ["/bin/sh", "-c", _PATHS.sub(f"{self.root}/", command)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.root,
            env={"PATH": f"{self.root}/bin:/usr/bin:/bin"},
            start_new_session=True,
        ) as process:
            self._processes.append(process)
            assert process.stdout
            assert process.stderr
            errors = threading.Thread(target=_forward, args=(process.stderr.fileno(), True, write))
            errors.start()
            _forward(process.stdout.fileno(), False, write)
            errors.join()
        code = process.returncode
        return 128 - code if code < 0 else code

    def start_app(self, job: str | None) -> None:
        """Start the app in a thread, for the job in a folder."""
        self.app_pid = "4711"
        self.path(f"/proc/{self.app_pid}").mkdir(exist_ok=True)
        self.path(app.FOLDER).mkdir(parents=True, exist_ok=True)
        if job:
            threading.Thread(target=app.run, args=(self, job), daemon=True).start()

    def end_app(self) -> None:
        """End the process of the app."""
        with suppress(OSError):
            self.path(f"/proc/{self.app_pid}").rmdir()
        self.app_pid = ""

    def _write_commands(self) -> None:
        folder = self.root / "bin"
        folder.mkdir()
        client = folder / "client"
        client.write_text(_CLIENT.format(python=sys.executable, address=str(self.root / "socket")))
        client.chmod(0o755)
        for name in COMMAND_NAMES:
            (folder / name).symlink_to(client)
        taskset = folder / "taskset"
        taskset.write_text(_TASKSET.format(root=self.root))
        taskset.chmod(0o755)

    def _accept(self) -> None:
        while True:
            try:
                asked, _ = self._listening.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._answer, args=(asked,), daemon=True).start()

    def _answer(self, asked: socket.socket) -> None:
        with asked, asked.makefile("rb") as requests, suppress(OSError):
            name, arguments, folder = json.loads(requests.readline())
            output, code = self._command(name, arguments, Path(folder))
            asked.sendall(json.dumps([output, code]).encode() + b"\n")

    def _command(self, name: str, arguments: list[str], folder: Path) -> tuple[str, int]:
        """Return what a command prints to stdout, and its exit code."""
        if name == "benchmark_model":
            self.started.append(" ".join(arguments))
            self.on_start()
            return benchmark_model.run(self, arguments, folder)
        if name == "am":
            return self._activity_manager(arguments)
        if name == "pm":
            is_found = self.is_app_installed and arguments[1] == app.PACKAGE
            return ("package:/data/app/base.apk\n", 0) if is_found else ("", 1)
        if name == "pidof":
            return (f"{self.app_pid}\n", 0) if self.app_pid else ("", 1)
        if name == "logcat":
            return COMMANDS["crash"] if self.app == "crashes" else "", 0
        if name == "getprop":
            return PROPERTIES.replace("{abis}", self.abis).replace("{model}", self.model), 0
        return COMMANDS.get(" ".join([name, *arguments]), ""), 0

    def _activity_manager(self, arguments: list[str]) -> tuple[str, int]:
        if arguments[0] == "force-stop":
            self.end_app()
            return "", 0
        self.started.append(" ".join(arguments))
        component = arguments[arguments.index("-n") + 1]
        if component != app.ACTIVITY:
            return f"Error: Activity class {{{component}}} does not exist.\n", 1
        extras: dict[str, Any] = {}
        if "--es" in arguments:
            at = arguments.index("--es")
            extras[arguments[at + 1]] = arguments[at + 2]
        self.start_app(extras.get("job"))
        self.on_start()
        return f"Starting: Intent {{ cmp={component} (has extras) }}\n", 0


def _forward(descriptor: int, is_error: bool, write: Callable[[bool, bytes], None]) -> None:
    """Pass on what a process writes; its client may be gone."""
    with suppress(EOFError, OSError):
        while data := os.read(descriptor, 2**16):
            write(is_error, data)
