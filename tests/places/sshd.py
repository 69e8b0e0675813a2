"""An SSH server on this machine, whose accounts are folders with programs of their own.

OpenSSH's server listens on 127.0.0.1 with throw-away keys. The client's configuration is given to
`ssh` by a program of this name that comes first in PATH: OpenSSH reads a user's own from the home
folder in the system's list of users, whatever HOME says.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from cnn_keras.training.hosts.link import free_port

SSHD = "/usr/sbin/sshd"  # it insists on an absolute path


class Server:
    """A running server.

    Args:
        folder: Folder for its keys and accounts.

    Attributes:
        folder: The same.
        bin: Folder of the program `ssh`, which belongs into PATH.
        port: Its port.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()
        self.port = free_port()
        for name in ("host", "other_host"):
            self.make_key(name)
        host_key = (folder / "host.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        (folder / "authorized_keys").touch()
        (folder / "ssh_config").touch()
        write_program(self.bin / "ssh", f'exec {shutil.which("ssh")} -F {folder}/ssh_config "$@"')
        (folder / "sshd_config").write_text(
            f"ListenAddress 127.0.0.1:{self.port}\n"
            f"HostKey {folder}/host\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\n"
            "PasswordAuthentication no\n"
            "StrictModes no\n"  # temporary folders are writable for others
            "PidFile none\n"
        )
        Path("/run/sshd").mkdir(exist_ok=True)
        with (folder / "sshd.log").open("w") as log:
            self._process = subprocess.Popen(
                [SSHD, "-D", "-e", "-f", str(folder / "sshd_config")], stderr=log
            )
        for _ in range(100):
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        raise AssertionError((folder / "sshd.log").read_text())

    def close(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait()

    def end_connections(self) -> None:
        """End the processes that serve connections, as when a network fails."""
        for child in _children(self._process.pid):
            os.kill(child, signal.SIGKILL)

    def make_key(self, name: str) -> None:
        """Write a key and its public half, NAME.pub."""
        path = str(self.folder / name)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True)

    def configure(self, name: str, **settings: object) -> None:
        """Add a host to the client's configuration.

        Args:
            name: Its name.
            **settings: Those that differ from a host that works.
        """
        defaults = {
            "HostName": "127.0.0.1",
            "Port": self.port,
            "IdentityFile": self.folder / name,
            "IdentitiesOnly": "yes",
            "UserKnownHostsFile": self.folder / "known_hosts",
            "GlobalKnownHostsFile": "/dev/null",
        }
        lines = [f"    {key} {value}\n" for key, value in {**defaults, **settings}.items()]
        with (self.folder / "ssh_config").open("a") as file:
            file.write(f"Host {name}\n{''.join(lines)}")

    def add_account(self, name: str, shell: str = 'exec sh -c "$SSH_ORIGINAL_COMMAND"') -> Path:
        """Add an account and a host of its name.

        Args:
            name: Its name.
            shell: Script that takes the place of its shell.

        Returns:
            Its home folder; programs in its `bin` come first in PATH.
        """
        home = self.folder / "homes" / name
        (home / "bin").mkdir(parents=True)
        (home / "tmp").mkdir()
        write_program(
            home / "login",
            f"export HOME={home} TMPDIR={home}/tmp PATH={home}/bin:/usr/bin:/bin; cd\n{shell}",
        )
        self.make_key(name)
        key = (self.folder / f"{name}.pub").read_text()
        with (self.folder / "authorized_keys").open("a") as file:
            file.write(f'restrict,command="{home}/login" {key}')
        self.configure(name)
        return home


def write_program(path: Path, script: str) -> None:
    """Write a shell script."""
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)


def left_behind(home: Path) -> list[str]:
    """Return what an account still has, besides what its cache keeps: files and processes.

    Agents that are still ending get 20 seconds.
    """
    for _ in range(200):
        files = [*(home / "tmp").iterdir(), *(home / ".cache" / "cnn-keras").glob(".*")]
        found = [*map(str, files), *_processes(home)]
        if not found:
            return []
        time.sleep(0.1)
    return found


def _children(process: int) -> list[int]:
    path = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in path.read_text(encoding="utf-8").split()]


def _processes(home: Path) -> list[str]:
    """Return the command lines of the processes in whose environment this is the home folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            if f"HOME={home}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_text(encoding="utf-8"))
    return found
