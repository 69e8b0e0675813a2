"""The commands `verify` and `audit`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro

from cnn_keras.command import Command, Outcome, start_keras
from cnn_keras.errors import UsageError
from cnn_keras.options import DataDirOption
from cnn_keras.tables import escape


@dataclass(frozen=True, kw_only=True)
class Verify(DataDirOption, Command):
    """Verify a .tflite file against the Keras model of its run; exit code 1 if it is refused.

    With --layers it also shows how much each layer loses, the worst first; --repair keeps as few
    layers as possible in floating point until the file passes.
    """

    file: tyro.conf.Positional[Path]
    """The .tflite file."""
    run: Path | None = None
    """Run folder; by default the one in export.json, beside the file."""
    recipe: str | None = None
    """Recipe with the limits; by default the one in export.json, or the one that the file's types
    correspond to."""
    keep_float: str | None = None
    """Further tensors that the file keeps in floating point, as given to `export`."""
    layers: bool = False
    """Compare every layer with the float32 file on held-out images."""
    figure: Path | None = None
    """Also draw this comparison, as .svg or .png."""
    repair: Path | None = None
    """Write a file that passes, and show its cost."""
    split: str = "validation"
    """train, validation or test."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.report.figure_file import require_suffix, write_figure

        from . import exported_file
        from .layer_errors import errors_figure, errors_table

        require_suffix(self.figure)
        keep_float = require_regex(self.keep_float)
        provenance = exported_file.find_provenance(self.file, self.run, self.recipe, keep_float)
        start_keras()
        exported = exported_file.load(provenance, self.split, self.data_dir)
        document: dict[str, Any] = {
            "file": str(self.file),
            "recipe": provenance.recipe.name,
            "data": exported.dataset.name,
            "labeled": exported.dataset.labeled,
            "split": self.split,
            **exported_file.verify_file(exported),
        }
        text: list[Any] = [document_table(document)]
        accepted = document["accepted"]
        if self.layers or self.figure or self.repair:
            float32 = exported_file.float32_file(exported)
            errors = exported_file.compare_file(exported, float32)
            document["layers"] = [error._asdict() for error in errors]
            text.append(errors_table(errors))
            if self.figure:
                write_figure(errors_figure(errors), self.figure)
            if self.repair:
                repaired = exported_file.repair_file(exported, float32, self.repair)
                document["repaired"] = repaired
                text.append(document_table(repaired))
                accepted = True
        return Outcome(document, Group(*text), exit_code=0 if accepted else 1)


@dataclass(frozen=True, kw_only=True)
class Audit(Command):
    """Show what a .tflite file contains: operations, types, partitions, labels.

    A file with custom or Flex operations, dynamic dimensions or float islands is refused: the exit
    code is 1. For operations of a vendor's compiler, the reason names the device that runs them.
    """

    file: tyro.conf.Positional[Path]
    """The .tflite file."""

    def __call__(self) -> Outcome:
        from ..tflite.isolation import call

        document = call("verification.description.describe", self.file, file=self.file)
        return Outcome(
            document, document_table(document), exit_code=1 if document["reasons"] else 0
        )


def require_regex(pattern: str | None, option: str = "--keep-float") -> str | None:
    """Return the pattern of an option.

    Raises:
        UsageError: It is not a regular expression.
    """
    try:
        re.compile(pattern or "")
    except re.error as error:
        raise UsageError(f"{option} {pattern!r} is not a regular expression: {error}.") from None
    return pattern


def document_table(document: dict[str, Any]) -> Any:
    """Return a document as a table of names and values."""
    from rich.table import Table

    result = Table(show_header=False, box=None)
    for key, value in document.items():
        result.add_row(key.replace("_", " "), escape(_text(value)))
    return result


def _text(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_text, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "–" if value is None else str(value)
