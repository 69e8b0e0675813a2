"""The exported files of a run: their rows in `export.json`, and their latencies."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.errors import Error, UsageError
from cnn_keras.training.run_folder import Run
from cnn_keras.unpack import run_path

from ..benchmark.results import FILE_NAME, of_latest_machine
from ..provenance import EXPORT_JSON, find_run

FOLDER = "files"  # of a run folder, where `export --android` writes


class ExportedFiles(NamedTuple):
    """The folder of an export.

    Attributes:
        folder: The folder.
        document: The content of its `export.json`.
        measurements: Rows of `cnn-keras benchmark` from one machine, oldest first.
    """

    folder: Path
    document: dict[str, Any]
    measurements: list[dict[str, Any]]

    @property
    def accepted(self) -> list[dict[str, Any]]:
        """The rows of the files that were written."""
        return [row for row in self.document["files"] if row["accepted"]]

    @property
    def refused(self) -> list[dict[str, Any]]:
        """The rows of the files that were refused."""
        return [row for row in self.document["files"] if not row["accepted"]]

    @property
    def paths(self) -> list[Path]:
        """The files that were written."""
        return [self.folder / row["file"] for row in self.accepted]

    @property
    def threads(self) -> list[int]:
        """The numbers of threads that the files were measured with, ascending."""
        return sorted({row["num_threads"] for row in self.measurements})

    def latency_ms(self, row: dict[str, Any], num_threads: int) -> float | None:
        """Return the median latency of a file by its latest measurement; None without one."""
        found = [
            each["latency_p50_ms"]
            for each in self.measurements
            if (each["sha256"], each["num_threads"]) == (row["sha256"], num_threads)
        ]
        return found[-1] if found else None


def read_exported_files(
    run: Run, folder: Path | None = None, benchmarks: Path | None = None
) -> ExportedFiles | None:
    """Read what is known about the exported files of a run.

    Args:
        run: The run.
        folder: Folder of the export; by default `files` in the run folder, if that is one.
        benchmarks: Measurements of `cnn-keras benchmark`; by default those beside the files.

    Returns:
        None if no folder is given and the run folder has none.

    Raises:
        UsageError: The folder is the export of another run, or measurements are given without
            files.
        Error: The folder is no export, a file has changed since the export, or a document is
            broken.
    """
    found = folder or run.path / FOLDER
    if folder is None and not (found / EXPORT_JSON).is_file():
        if benchmarks is not None:
            raise UsageError(
                "--benchmarks has the latencies of exported files: add --files FOLDER."
            )
        return None
    document = _read_document(found)
    source = find_run(found / EXPORT_JSON)
    if source is None or run_path(source).resolve() != run.path.resolve():
        raise UsageError(
            f"{found} has the files of {source or document['run']}, not of {run.path}: name the "
            "folder of its own export."
        )
    exported = ExportedFiles(found, document, [])
    _require_unchanged(exported)
    hashes = {row["sha256"] for row in exported.accepted}
    rows = [row for row in _read_measurements(found, benchmarks) if row["sha256"] in hashes]
    return exported._replace(measurements=of_latest_machine(rows))


def _read_document(folder: Path) -> dict[str, Any]:
    path = folder / EXPORT_JSON
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
        if not isinstance(document["run"], str) or not all("file" in r for r in document["files"]):
            raise KeyError("files")
    except FileNotFoundError as error:
        raise Error(f"{folder} has no {EXPORT_JSON}, which `cnn-keras export` writes.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise Error(f"{path} is broken ({error!r}): export the files again.") from error
    return document


def _require_unchanged(exported: ExportedFiles) -> None:
    """Check that the files are those of `export.json`.

    Raises:
        Error: One is missing, or has other content.
    """
    for path, row in zip(exported.paths, exported.accepted, strict=True):
        if not path.is_file():
            raise Error(f"{path} is missing, which {EXPORT_JSON} lists: export the files again.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != row["sha256"]:
            raise Error(f"{path} is not the file that {EXPORT_JSON} describes: export it again.")


def _read_measurements(folder: Path, benchmarks: Path | None) -> list[dict[str, Any]]:
    path = benchmarks or folder / FILE_NAME
    if benchmarks is None and not path.is_file():
        return []
    keys = ("sha256", "num_threads", "latency_p50_ms", "host", "time")
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        for row in rows:
            if missing := [key for key in keys if key not in row]:
                raise ValueError(f"a line has no {missing[0]}")
    except FileNotFoundError as error:
        raise Error(f"No such file: {path}.") from error
    except (ValueError, TypeError) as error:
        raise Error(f"{path} is not a file of `cnn-keras benchmark`: {error}.") from error
    return rows
