"""Measurements of `.tflite` files, each appended to a JSONL file as soon as it is made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from cnn_keras.command import log
from cnn_keras.errors import Error
from cnn_keras.machine import RUNTIME_PACKAGES, host, versions

from ..tflite.interpreter import ModelFileError, check_identifier
from .compare import Comparison, compare
from .inputs import saved_inputs
from .results import FILE_NAME, append, record, require_writable
from .runner import LoadOptions, Row, TimingOptions
from .runner_process import measure


class MeasurementOptions(NamedTuple):
    """How files are measured; see the options of the command `benchmark`.

    Attributes:
        threads: Numbers of threads.
        timing: How long a file is timed.
        warmup_secs: Seconds of inferences before the timed ones.
        vs: File that each file is timed alternately with; None times each file alone.
        processes: Processes of each file, if it is compared.
        run: Run folder whose validation images are the inputs; None for that of the file.
        data_dir: Folder in which the run's data set is looked for first.
        out: JSONL file to append to; None for one beside each file.
    """

    threads: Sequence[int] = (1,)
    timing: TimingOptions = TimingOptions()
    warmup_secs: float = 0.5
    vs: Path | None = None
    processes: int = 8
    run: Path | None = None
    data_dir: Path | None = None
    out: Path | None = None

    def results_path(self, file: Path) -> Path:
        """Return the JSONL file for a file's measurements."""
        return self.out or file.parent / FILE_NAME


@dataclass(frozen=True)
class Measurements:
    """What was measured, and what could not be.

    Attributes:
        rows: The measurements.
        documents: The same, as appended to the JSONL files.
        conclusions: Results of the comparisons, in words.
        failures: Files that could not be measured or written, with the keys ``file`` and
            ``reason``.
    """

    rows: list[Row] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)
    conclusions: list[str] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)


def measure_files(files: Sequence[Path], options: MeasurementOptions) -> Measurements:
    """Measure files with each number of threads, and append each measurement to a JSONL file.

    If a measurement cannot be written, for example because the disk is full, the rest is still
    made.

    Args:
        files: The `.tflite` files.
        options: How to measure them.

    Raises:
        ModelFileError: The only file, or the one to compare with, is not a runnable classifier.
        Error: The results cannot be written, or the images of `run` are not available.
    """
    _require_writable_results(files, options)
    found = Measurements()
    unwritten: dict[Path, str] = {}
    for file in files:
        try:
            _measure_file(file, options, found, unwritten)
        except ModelFileError as error:
            if len(files) == 1:
                raise
            found.failures.append({"file": str(file), "reason": str(error)})
    found.failures.extend({"file": str(path), "reason": why} for path, why in unwritten.items())
    return found


def _require_writable_results(files: Sequence[Path], options: MeasurementOptions) -> None:
    """Refuse what would fail only after a measurement: the second file, the results' paths.

    Raises:
        ModelFileError: The file to compare with is not a TFLite file.
        Error: The results cannot be written.
    """
    if options.vs:
        check_identifier(options.vs)
    measured = (*files, *([options.vs] if options.vs else []))
    for path in {options.results_path(file) for file in measured if options.out or file.is_file()}:
        try:
            require_writable(path)
        except OSError as error:
            raise Error(_not_written(path, error)) from error


def _measure_file(
    file: Path, options: MeasurementOptions, found: Measurements, unwritten: dict[Path, str]
) -> None:
    """Measure a file with each number of threads, and add each measurement to those found.

    Raises:
        ModelFileError: The file is not a runnable classifier.
    """
    check_identifier(file)
    with saved_inputs(file, options.run, options.data_dir) as inputs:
        for num_threads in options.threads:
            log(f"{file}, {num_threads} thread{'s' * (num_threads > 1)}")
            machine = host()
            load = LoadOptions(
                str(file), num_threads, options.warmup_secs, str(inputs) if inputs else None
            )
            rows, comparison = _measure(load, options)
            found.rows.extend(rows)
            for row, compared in zip(rows, (comparison, None), strict=False):
                document = record(row, machine, versions(RUNTIME_PACKAGES), compared)
                found.documents.append(document)
                path = options.results_path(Path(row.file))
                try:
                    append(path, document)
                except OSError as error:
                    unwritten[path] = _not_written(path, error)
            if comparison:
                found.conclusions.append(comparison.conclusion)


def _measure(load: LoadOptions, options: MeasurementOptions) -> tuple[list[Row], Comparison | None]:
    """Measure a file alone, or alternately with another."""
    if not options.vs:
        return [measure(load, options.timing)], None
    other = load._replace(file=str(options.vs))
    comparison = compare(load, other, options.timing, options.processes)
    return [comparison.row, comparison.other], comparison


def _not_written(path: Path, error: OSError) -> str:
    return f"Cannot append to {path}: {error.strerror}. Name another file with --out."
