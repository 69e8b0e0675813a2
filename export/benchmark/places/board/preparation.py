"""Put the runner on a board, and find the Python there that runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from cnn_keras.command import log
from cnn_keras.machine import RUNTIME_PACKAGES

from . import bundle
from .connection import Connection

SETUP_SECS = 1800.0  # a slow network, and wheels of 40 MB on an SD card


class Prepared(NamedTuple):
    """A board on which the runner can start.

    Attributes:
        python: Path of the Python that has the packages.
        runner: Name of the runner's folder in the cache there.
        versions: Versions of Python and of `RUNTIME_PACKAGES` there.
    """

    python: str
    runner: str
    versions: dict[str, str]


def prepare(connection: Connection, setup: bool) -> Prepared:
    """Copy the runner to a board, unless it is there, and look for the packages that it needs.

    Args:
        connection: The connection to the board.
        setup: Install the packages in a virtual environment there, unless there is one.

    Raises:
        PlaceError: A package is missing, or cannot be installed, or the disk is full.
    """
    texts = bundle.files()
    runner = bundle.folder_name(texts)
    required = bundle.requirements(connection.python)
    environment = f"python-{required[0]}"
    asked = {"runner": runner, "environment": environment, "packages": RUNTIME_PACKAGES}
    found = connection.request("describe", asked)
    host = connection.destination.text
    if setup and not found["environment"]:
        log(f"{host}: install {' and '.join(required)} in ~/.cache/cnn-keras/{environment}")
        packages = {"environment": environment, "requirements": required}
        connection.request("setup", packages, SETUP_SECS)
        found = connection.request("describe", asked)
    missing = [package for package in RUNTIME_PACKAGES if package not in found["versions"]]
    if missing:
        raise connection.error(_missing(missing, found["versions"]["python"], required))
    if not found["runner"]:
        size = sum(map(len, texts.values()))
        log(f"{host}: copy the runner ({size / 1000:.0f} kB) to ~/.cache/cnn-keras/{runner}")
        connection.request("install", {"runner": runner, "files": texts})
    return Prepared(found["python"], runner, found["versions"])


def _missing(packages: Sequence[str], python: str, required: Sequence[str]) -> str:
    return (
        f"its python3 ({python}) has no {' and no '.join(packages)}. Run there: python3 -m pip "
        f"install {' '.join(required)}, or add --setup, which installs them in "
        "~/.cache/cnn-keras there"
    )
