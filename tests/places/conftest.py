"""What the tests of places share: no open pipes, and an SSH server for those of boards."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from importlib.util import find_spec

import pytest

from tests.places.sshd import Server

# Doctests are collected from every module; these need the packages of `make test-places`.
collect_ignore = [] if find_spec("playwright") else ["browser.py", "table_picture.py"]


@pytest.fixture(autouse=True)
def collect_garbage() -> Iterator[None]:
    """Let a pipe that is left open fail the test that opened it, not a later one."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start a server whose accounts the program `ssh` reaches."""
    server = Server(tmp_path_factory.mktemp("ssh"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{server.bin}{os.pathsep}{os.environ['PATH']}")
        yield server
    server.close()
