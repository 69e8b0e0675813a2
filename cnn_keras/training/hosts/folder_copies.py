"""Copies of a run folder: only the first process writes it, and the others have what they read."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import devices

# What a training reads from its run folder when it resumes.
_NAMES = (
    "config.json",
    "history.csv",
    "labels.txt",
    "last.keras",
    "lighting.json",
    "preprocessing.json",
)


@contextmanager
def first_process_first(folder: Path) -> Iterator[None]:
    """Let the other processes do something after the first one, with a copy of its run folder.

    Args:
        folder: The run folder; that of another process than the first is temporary.
    """
    share = devices.share()
    if share.num_processes == 1:
        yield
        return
    if share.process:
        with tarfile.open(fileobj=io.BytesIO(devices.broadcast(b""))) as archive:
            archive.extractall(folder, filter="data")
    yield
    if not share.process:
        devices.broadcast(_archive(folder))


def _archive(folder: Path) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in _NAMES:
            if (folder / name).is_file():
                archive.add(folder / name, name)
    return data.getvalue()
