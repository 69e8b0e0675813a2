"""What a kill at any moment leaves of a command's files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


@contextmanager
def copies_before_each_rename(folder: Path, into: Path) -> Iterator[list[Path]]:
    """Copy a folder whenever a file is about to come to its place, temporary files and all.

    Files come to their places by `Path.replace`: these are all the states that a kill may leave.

    Args:
        folder: Where a command writes.
        into: For the copies.

    Yields:
        The copies so far, in order.
    """
    copies: list[Path] = []
    replace = Path.replace

    def copying(source: Path, target: Any) -> Path:
        if folder.is_dir() and folder in (Path(target), *Path(target).parents):
            copies.append(into / f"{len(copies):02}")
            shutil.copytree(folder, copies[-1])
        return replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "replace", copying)
        yield copies
