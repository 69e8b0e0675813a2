"""The command `benchmark`: latency and memory of `.tflite` files."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from cnn_keras.command import Command, Outcome, log
from cnn_keras.errors import Error, UsageError
from cnn_keras.options import DataDirOption

if TYPE_CHECKING:
    from cnn_keras.machine import Host

    from .compare import Comparison
    from .runner import LoadOptions, Row


@dataclass
class _Results:
    """What has been measured so far, and what could not be."""

    rows: list[Row] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    conclusions: list[str] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)  # keys file, reason
    unwritten: dict[Path, str] = field(default_factory=dict)  # paths of results, reasons


@dataclass(frozen=True)
class Benchmark(DataDirOption, Command):
    """Measure latency and memory of .tflite files.

    Each file runs in a fresh process that imports only ai-edge-litert and numpy. Inputs are
    validation images of the run that the file was exported from, or noise if that run is not known.
    Every measurement is appended to a JSONL file with host, versions and the file's hash.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The .tflite files."""
    threads: tuple[int, ...] = (1,)
    """Numbers of threads; each file is measured with each."""
    vs: Path | None = None
    """Time each file alternately with this one, and report the ratio with its interval."""
    processes: int = 8
    """Processes of each file, with --vs: the memory layout of a process makes it some percent
    faster or slower than the next."""
    num_runs: int = 50
    """Minimum number of timed inferences."""
    min_secs: float = 1.0
    """Minimum seconds of timed inferences."""
    max_secs: float = 150.0
    """Maximum seconds of timed inferences, even if there are fewer than num-runs."""
    warmup_secs: float = 0.5
    """Seconds of inferences before the timed ones."""
    run: Path | None = None
    """Run folder whose validation images are the inputs; by default the one that export.json,
    beside the file, names."""
    out: Path | None = None
    """JSONL file to append to; by default benchmarks.jsonl beside each file."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.machine import host
        from cnn_keras.tables import escape

        from ..provenance import same_network
        from ..tflite.flatbuffer import has_dynamic_batch
        from ..tflite.interpreter import DYNAMIC_BATCH_REMARK, ModelFileError
        from .integer_speed import integer_note
        from .results import table

        self._validate()
        machine = host()
        results = _Results()
        for file in self.files:
            try:
                self._measure_file(file, results)
            except ModelFileError as error:
                if len(self.files) == 1:
                    raise
                results.failed.append({"file": str(file), "reason": str(error)})
        files = dict.fromkeys(row.file for row in results.rows)
        remarks = [f"{file} {DYNAMIC_BATCH_REMARK}." for file in files if has_dynamic_batch(file)]
        note = integer_note(machine, results.rows, same_network)
        failed = [
            *results.failed,
            *({"file": str(path), "reason": reason} for path, reason in results.unwritten.items()),
        ]
        document = {"rows": results.records, "note": note, "remarks": remarks, "failed": failed}
        lines = [
            *results.conclusions,
            *remarks,
            *([note] if note else []),
            *(row["reason"] for row in failed),
        ]
        text = Group(table(results.rows), *map(escape, (_host_line(machine), *lines)))
        return Outcome(document, text, exit_code=1 if failed else 0)

    def _validate(self) -> None:
        """Refuse what would fail after a measurement: options, the second file, the results' path.

        Raises:
            UsageError: An option is wrong.
            ModelFileError: The file to compare with is not a TFLite file.
            Error: The results cannot be written.
        """
        from ..tflite.interpreter import check_identifier
        from .results import require_writable

        if not self.files:
            raise UsageError("Name at least one .tflite file.")
        if not self.threads or min(self.threads) < 1 or self.num_runs < 1:
            raise UsageError("--threads and --num-runs must be at least 1.")
        if self.processes < 2:
            raise UsageError(f"An interval needs two --processes or more, not {self.processes}.")
        if min(self.min_secs, self.max_secs, self.warmup_secs) < 0:
            raise UsageError("--min-secs, --max-secs and --warmup-secs must not be negative.")
        if self.vs:
            check_identifier(self.vs)
        measured = (*self.files, *([self.vs] if self.vs else []))
        for path in {self._results_path(file) for file in measured if self.out or file.is_file()}:
            try:
                require_writable(path)
            except OSError as error:
                raise Error(_not_written(path, error)) from error

    def _measure_file(self, file: Path, results: _Results) -> None:
        """Measure a file with each number of threads, and add each measurement to the results.

        If a row cannot be written, for example because the disk is full, the rest is still measured
        and shown.

        Raises:
            ModelFileError: The file is not a runnable classifier.
        """
        from cnn_keras.machine import RUNTIME_PACKAGES, host, versions

        from ..tflite.interpreter import check_identifier
        from .inputs import saved_inputs
        from .results import append, record
        from .runner import LoadOptions

        check_identifier(file)
        with saved_inputs(file, self.run, self.data_dir) as inputs:
            for num_threads in self.threads:
                log(f"{file}, {num_threads} thread{'s' * (num_threads > 1)}")
                machine = host()
                load = LoadOptions(
                    str(file), num_threads, self.warmup_secs, str(inputs) if inputs else None
                )
                rows, comparison = self._measure(load)
                results.rows += rows
                for row, compared in zip(rows, (comparison, None), strict=False):
                    document = record(row, machine, versions(RUNTIME_PACKAGES), compared)
                    results.records.append(document)
                    path = self._results_path(Path(row.file))
                    try:
                        append(path, document)
                    except OSError as error:
                        results.unwritten[path] = _not_written(path, error)
                if comparison:
                    results.conclusions.append(comparison.conclusion)

    def _measure(self, load: LoadOptions) -> tuple[list[Row], Comparison | None]:
        """Measure a file alone, or alternately with the file of --vs."""
        from .compare import compare
        from .process import measure
        from .runner import TimingOptions

        timing = TimingOptions(self.num_runs, self.min_secs, self.max_secs)
        if not self.vs:
            return [measure(load, timing)], None
        comparison = compare(load, load._replace(file=str(self.vs)), timing, self.processes)
        return [comparison.row, comparison.other], comparison

    def _results_path(self, file: Path) -> Path:
        from .results import FILE_NAME

        return self.out or file.parent / FILE_NAME


def _not_written(path: Path, error: OSError) -> str:
    return f"Cannot append to {path}: {error.strerror}. Name another file with --out."


def _host_line(machine: Host) -> str:
    instructions = ", ".join(machine.instructions) or "unknown instructions"
    governor = f", governor {machine.governor}" if machine.governor else ""
    return (
        f"{machine.cpu} ({machine.architecture}, {machine.cores} cores, {instructions}{governor}), "
        f"load average {machine.load_average}"
    )
