"""The file of a card: README.md in the run folder, which is not overwritten once it was edited.

Its last line has the hash of the text above, and that of the files that the card was made from.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import NamedTuple

from cnn_keras.command import write_atomic
from cnn_keras.errors import Error
from cnn_keras.training.run_folder import Run

from ..provenance import EXPORT_JSON
from .exported_files import ExportedFiles

CARD = "README.md"
SOURCES = (
    "config.json",
    "recipe.toml",
    "history.csv",
    "metrics.json",
    "preprocessing.json",
    "labels.txt",
)

_LAST_LINE = "<!-- Written by cnn-keras card. Text: {text}. Files: {files}. -->\n"
_HASH = r"([0-9a-f]{64})"
_PATTERN = re.compile(
    re.escape(_LAST_LINE).replace(r"\{text\}", _HASH).replace(r"\{files\}", _HASH)
)


class CardFile(NamedTuple):
    """A card that exists.

    Attributes:
        is_edited: Whether it differs from what was written.
        files: Hash of the files that it was made from; None if its last line was removed.
    """

    is_edited: bool
    files: str | None


def read_card_file(run: Run) -> CardFile | None:
    """Read the card of a run; None if there is none."""
    path = run.path / CARD
    if not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    found = _PATTERN.search(text)
    if found is None:
        return CardFile(is_edited=True, files=None)
    is_edited = found[1] != _sha256(text[: found.start()]) or found.end() != len(text)
    return CardFile(is_edited, found[2])


def write_card_file(
    run: Run, text: str, exported: ExportedFiles | None, *, overwrite: bool = False
) -> Path:
    """Write the card of a run.

    Args:
        run: The run.
        text: The card.
        exported: The exported files on it.
        overwrite: Whether to replace a card that was edited.

    Returns:
        Its path.

    Raises:
        Error: The card was edited, and must not be replaced.
    """
    path = run.path / CARD
    before = read_card_file(run)
    if before is not None and before.is_edited and not overwrite:
        raise Error(
            f"{path} was written or edited by hand: rename it, or replace it with --overwrite."
        )
    last = _LAST_LINE.format(text=_sha256(text), files=files_hash(run, exported))
    write_atomic(path, text + last)
    return path


def files_hash(run: Run, exported: ExportedFiles | None) -> str:
    """Return the hash of the files that a card is made from."""
    paths = [run.path / name for name in SOURCES]
    paths += [exported.folder / EXPORT_JSON] if exported else []
    found = [f"{path.name} {_sha256(path.read_bytes())}\n" for path in paths if path.is_file()]
    return _sha256("".join(found))


def _sha256(content: str | bytes) -> str:
    data = content.encode() if isinstance(content, str) else content
    return hashlib.sha256(data).hexdigest()
