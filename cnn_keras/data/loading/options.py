"""How the image files of a training are loaded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ...errors import UsageError


@dataclass(frozen=True)
class Loading:
    """How the image files of a training are loaded.

    Attributes:
        workers: Number of worker processes that decode the images of the next batches; with 0,
            threads do. They change nothing but the speed.
        skip_broken: Whether to train without the files that are broken, instead of an error.
        cache: Folder of files of decoded images, see `first_pass.with_cache`.

    Raises:
        UsageError: A value is out of range.
    """

    workers: int = 0
    skip_broken: bool = False
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise UsageError(f"--workers must be 0 or more, not {self.workers}.")


FROM_FILES = Loading()
"""Threads decode the files; broken ones are an error."""
