"""Compare what `dataset check` lists with what was planted in a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .image_files import ImageFiles


def differences(files: ImageFiles, document: Mapping[str, Any]) -> list[str]:
    """Return a line for each planted problem that is not listed, and for each other that is.

    Args:
        files: The data set.
        document: What `dataset check --json` prints.
    """
    listed = {image["image"] for image in document["broken"]}
    lines = _compare("broken", {(name,) for name in files.broken}, {(name,) for name in listed})
    for kind, pairs in (("exact", files.exact), ("near", files.near)):
        groups = document[f"{kind}_duplicates"]
        lines += [
            f"{kind}, within a split: {group}" for group in groups if not group["across_splits"]
        ]
        found = {tuple(sorted(image["image"] for image in group["images"])) for group in groups}
        lines += _compare(kind, {tuple(sorted(pair)) for pair in pairs}, found)
    return lines


def _compare(kind: str, planted: set[tuple[str, ...]], listed: set[tuple[str, ...]]) -> list[str]:
    missing = [f"{kind}, not listed: {', '.join(names)}" for names in sorted(planted - listed)]
    return missing + [f"{kind}, not planted: {', '.join(n)}" for n in sorted(listed - planted)]
