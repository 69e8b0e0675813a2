"""Detect files that were not downloaded: Git LFS pointers and HTML pages."""

from __future__ import annotations

from pathlib import Path

from ..errors import Error

_POINTER = b"version https://git-lfs.github.com/spec/"
_PAGES = (b"<!doctype html", b"<html")


def require_downloaded(path: Path) -> None:
    """Refuse a Git LFS pointer or an HTML page in place of a file, by its first bytes.

    Args:
        path: The file; nothing happens if it cannot be opened.

    Raises:
        Error: It is one of them.

    Reference:
        https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md, "The Pointer".
    """
    try:
        with path.open("rb") as file:
            head = file.read(100).lstrip().lower()
    except OSError:
        return
    if head.startswith(_POINTER):
        raise Error(f"{path} is a Git LFS pointer, not the file: run git lfs pull in its clone.")
    if head.startswith(_PAGES):
        raise Error(f"{path} is an HTML page, not the file: download it again.")
