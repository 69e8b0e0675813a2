"""Copies of a run folder: only the first process writes it, and the others have what they read."""

from __future__ import annotations

import io
import tarfile
import tempfile
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
def first_process_first(folder: Path) -> Iterator[Path]:
    """Let the other processes do something after the first one, with a copy of its run folder.

    Args:
        folder: The run folder; that of another process than the first is temporary.

    Yields:
        A temporary folder for files that the run folder may lack, and which the copies have.
    """
    share = devices.share()
    if share.process:
        with tarfile.open(fileobj=io.BytesIO(devices.broadcast(b""))) as archive:
            archive.extractall(folder, filter="data")
    with tempfile.TemporaryDirectory(prefix="cnn-keras-") as others:
        yield Path(others)
        if share.num_processes > 1 and not share.process:
            devices.broadcast(_archive(folder, Path(others)))


def _archive(*folders: Path) -> bytes:
    """Return the files of several folders; the first one that has a file counts."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name in _NAMES:
            for path in [folder / name for folder in folders if (folder / name).is_file()][:1]:
                archive.add(path, name)
    return data.getvalue()
