"""A board that is this machine, behind a program `ssh` that runs commands without a network."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from export.benchmark.places.board.connection import Destination
from tests.places.sshd import write_program


class Board:
    """An account with its own home folder.

    Attributes:
        home: Its home folder; programs in its `bin` come first in PATH.
        ssh: The program that runs a command there; its folder belongs into PATH.
        connections: File with a line for each connection.
    """

    destination = Destination.parse("board")

    def __init__(self, folder: Path) -> None:
        self.home = folder / "board"
        for name in ("bin", "tmp"):
            (self.home / name).mkdir(parents=True)
        self.write_program("python3", f'exec {sys.executable} "$@"')
        self.connections = folder / "connections"
        self.ssh = folder / "bin" / "ssh"
        self.ssh.parent.mkdir()
        write_program(
            self.ssh,
            f"echo >> {self.connections}\n"
            "for command; do :; done\n"  # the last argument
            f"export HOME={self.home} TMPDIR={self.home}/tmp PATH={self.home}/bin:/usr/bin:/bin\n"
            'cd; exec sh -c "$command"',
        )

    def write_program(self, name: str, script: str) -> None:
        """Write a shell script into its `bin`."""
        write_program(self.home / "bin" / name, script)

    def left_behind(self) -> list[str]:
        """Return what is in its temporary folder; agents that are ending get 10 seconds."""
        for _ in range(100):
            if not (found := [path.name for path in (self.home / "tmp").iterdir()]):
                return []
            time.sleep(0.1)
        return found

    def runners(self) -> list[str]:
        """Return the names of the runners in its cache."""
        return sorted(path.name for path in self.home.glob(".cache/cnn-keras/*"))
