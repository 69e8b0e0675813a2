"""`cnn-keras benchmark`: how long `.tflite` files take here, and what they need."""

from __future__ import annotations

import json as json_module
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from cnn_keras.command import Outcome, log
from cnn_keras.errors import Error, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cnn_keras.machine import Host

    from .results import Versus
    from .runner import Row, Spec

NUM_IMAGES = 100  # of the validation split; the runs take them in turn


@dataclass(frozen=True)
class Benchmark:
    """Measure latency and memory of .tflite files.

    Each file runs in a fresh process that imports only ai-edge-litert and numpy. Inputs are
    validation images of the run that the file was exported from, where that run is known, else
    noise. Every measurement is appended to a JSONL file with host, versions and the file's hash.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The .tflite files."""
    threads: tuple[int, ...] = (1,)
    """Numbers of threads; each file is measured with each."""
    vs: Path | None = None
    """Time each file in turns with this one, and give the ratio with its interval."""
    processes: int = 8
    """Processes of each file, with --vs: a process is some percent faster or slower than the next
    by where its memory lies."""
    num_runs: int = 50
    """Timed inferences at least."""
    min_secs: float = 1.0
    """Seconds of timed inferences at least."""
    max_secs: float = 150.0
    """Seconds of timed inferences at most, even if there are fewer than num-runs."""
    warmup_secs: float = 0.5
    """Seconds of inferences before the timed ones."""
    run: Path | None = None
    """Run folder whose validation images are the inputs; by default the one that export.json,
    beside the file, names."""
    data_dir: Path | None = None
    """Folder in which the run's data set is looked for first."""
    out: Path | None = None
    """JSONL file to append to; by default benchmarks.jsonl beside each file."""
    json: bool = False
    """Print one JSON document."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.machine import host
        from cnn_keras.tables import escape

        from ..tflite.flatbuffer import has_dynamic_batch
        from ..tflite.interpreter import DYNAMIC_BATCH, ModelFileError
        from .integer_speed import integer_note
        from .results import table

        self._check()
        machine = host()
        rows: list[Row] = []
        records: list[dict[str, Any]] = []
        lines: list[str] = []
        failed: list[dict[str, str]] = []
        unwritten: dict[Path, str] = {}
        for file in self.files:
            try:
                self._time(file, rows, records, lines, unwritten)
            except ModelFileError as error:
                if len(self.files) == 1:
                    raise
                failed.append({"file": str(file), "reason": str(error)})
        files = dict.fromkeys(row.file for row in rows)
        remarks = [f"{file} {DYNAMIC_BATCH}." for file in files if has_dynamic_batch(file)]
        note = integer_note(machine, rows, same_network)
        failed += [{"file": str(path), "reason": why} for path, why in unwritten.items()]
        lines += [*remarks, *([note] if note else []), *(row["reason"] for row in failed)]
        document = {"rows": records, "note": note, "remarks": remarks, "failed": failed}
        text = Group(table(rows), *map(escape, (_host_line(machine), *lines)))
        return Outcome(document, text, exit_code=1 if failed else 0)

    def _time(
        self,
        file: Path,
        rows: list[Row],
        records: list[dict[str, Any]],
        lines: list[str],
        unwritten: dict[Path, str],
    ) -> None:
        """Measure a file with each number of threads, and add what was found as it is found.

        Where a row cannot be written, as on a disk that has become full, the others are measured
        and shown all the same.

        Raises:
            ModelFileError: The file is no runnable classifier.
        """
        from cnn_keras.machine import RUNTIME_PACKAGES, host, versions

        from ..tflite.interpreter import check_identifier
        from .results import append, record

        check_identifier(file)
        with self._inputs(file) as inputs:
            for num_threads in self.threads:
                log(f"{file}, {num_threads} thread{'s' * (num_threads > 1)}")
                machine = host()
                measured, versus = self._measure(self._spec(file, num_threads, inputs))
                rows += measured
                for row, other in zip(measured, (versus, None), strict=False):
                    records.append(record(row, machine, versions(RUNTIME_PACKAGES), other))
                    path = self._results_of(Path(row.file))
                    try:
                        append(path, records[-1])
                    except OSError as error:
                        unwritten[path] = _not_written(path, error)
                lines += [versus.conclusion] if versus else []

    def _check(self) -> None:
        """Refuse what would fail after a measurement: options, a second file, no place to write.

        Raises:
            UsageError: An option is wrong.
            ModelFileError: The file to compare with is none.
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
        for path in {self._results_of(file) for file in measured if self.out or file.is_file()}:
            try:
                require_writable(path)
            except OSError as error:
                raise Error(_not_written(path, error)) from error

    def _measure(self, spec: Spec) -> tuple[list[Row], Versus | None]:
        """Measure a file alone, or in turns with the one it is compared with."""
        from .compare import compare
        from .process import measure
        from .results import Versus
        from .runner import Block

        block = Block(self.num_runs, self.min_secs, self.max_secs)
        if not self.vs:
            return [measure(spec, block)], None
        found = compare(spec, spec._replace(file=str(self.vs)), block, self.processes)
        low, high = found.ratio.low, found.ratio.high
        other = found.versus
        versus = Versus(other.file, other.sha256, found.ratio.value, (low, high), found.conclusion)
        return [found.row, other], versus

    def _spec(self, file: Path, num_threads: int, inputs: Path | None) -> Spec:
        from .runner import Spec

        return Spec(str(file), num_threads, self.warmup_secs, str(inputs) if inputs else None)

    @contextmanager
    def _inputs(self, file: Path) -> Iterator[Path | None]:
        """Write the images for a file where its process can map them; `None` if it takes noise."""
        import numpy as np

        images = self._images(file)
        if images is None:
            yield None
            return
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "images.npy")
            np.save(path, images)
            yield path

    def _images(self, file: Path) -> NDArray[np.float32] | None:
        if self.run:
            return _real_inputs(self.run, self.data_dir)
        run = run_of(file)
        if run is None:
            return None
        try:
            return _real_inputs(run, self.data_dir)
        except (Error, ImportError, OSError) as error:
            log(f"{file} is timed on noise, its run's images are not here: {error}")
            return None

    def _results_of(self, file: Path) -> Path:
        from .results import FILE_NAME

        return self.out or file.parent / FILE_NAME


def _not_written(path: Path, error: OSError) -> str:
    return f"Cannot append to {path}: {error.strerror}. Name another file with --out."


def exported(file: Path) -> dict[str, Any]:
    """Return what `export.json` beside a file says of it; nothing if there is no such thing."""
    try:
        document = json_module.loads((file.parent / "export.json").read_bytes())
        rows = [row for row in document.get("files", []) if row["file"] == file.name]
        return {**(rows[0] if rows else {}), "run": document["run"], "model": document.get("model")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def run_of(file: Path) -> Path | None:
    """Return the run that `export.json` beside a file names, if there is one and it exists."""
    run = exported(file).get("run")
    # A path from the export's folder, or as somebody has written it.
    candidates = [file.parent / run, Path(run)] if isinstance(run, str) else []
    return next((path for path in candidates if path.is_dir()), None)


@cache  # one run's files are measured one after the other
def _real_inputs(run_path: Path, data_dir: Path | None = None) -> NDArray[np.float32]:
    """Return preprocessed validation images of a run, at most `NUM_IMAGES`, their classes mixed.

    Raises:
        Error: The folder is no run, or its data set is not here.
    """
    import numpy as np

    from cnn_keras.data.splits import SPLIT_SEED
    from cnn_keras.training.run_folder import Run

    run = Run.open(run_path)
    images = run.load(data_dir).validation.sample(NUM_IMAGES).images
    # A slow network is done before it has seen all of them, and the sample is in order of class.
    images = np.random.default_rng(SPLIT_SEED).permutation(images)
    return run.preprocessing(run.preprocessing.resize(images))


def same_network(file: str, other: str) -> bool:
    """Return whether two files that LiteRT has run are of one network.

    They have the same weights' shapes and name, and come from one run where their runs are known.
    """
    from ..tflite.flatbuffer import weight_shapes
    from ..tflite.metadata import name_of

    runs = {run.resolve() for each in (file, other) if (run := run_of(Path(each)))}
    return len(runs) < 2 and all(found(file) == found(other) for found in (name_of, weight_shapes))


def _host_line(machine: Host) -> str:
    instructions = ", ".join(machine.instructions) or "unknown instructions"
    governor = f", governor {machine.governor}" if machine.governor else ""
    return (
        f"{machine.cpu} ({machine.architecture}, {machine.cores} cores, {instructions}{governor}), "
        f"load average {machine.load_average}"
    )
