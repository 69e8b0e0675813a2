"""Measurements of `.tflite` files, each appended to a JSONL file as soon as it is made."""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from cnn_keras.command import failure_reason, log, progress
from cnn_keras.errors import Error, UsageError
from cnn_keras.machine import host

from ..tflite import isolation
from ..tflite.interpreter import ModelFileError, check_identifier
from .comparison.compare import compare_all
from .comparison.rounds import Repetitions
from .inputs import Inputs, saved_inputs
from .places import digest
from .places.local import Local, measured_here, outputs_of
from .places.place import Job, LoadedFile, Place
from .profile.archive import PEAKS, Archive
from .profile.operator_runner import ProfileOptions
from .profile.results import COPIES, document
from .results import FILE_NAME, append, record, require_writable
from .runner import LoadOptions, TimingOptions
from .runner_process import RunnerProcess


class MeasurementOptions(NamedTuple):
    """How files are measured; see the options of the command `benchmark`.

    Attributes:
        threads: Numbers of threads.
        timing: How long a file is timed.
        warmup_secs: Least seconds of inferences before the timed ones.
        sustained_secs: Seconds for which each file then runs without a pause.
        cooldown_secs: Seconds of rest before each file.
        vs: Files that all files are timed alternately with, on this machine; if there are none,
            each file is timed alone.
        repetitions: When there are enough processes of each file, if they are compared.
        run: Run folder whose validation images are the inputs; None for that of the file.
        data_dir: Folder in which the run's data set is looked for first.
        out: JSONL file to append to; None for one beside each file.
        untrained: Images `(n, height, width, channels)` in an `.npy` file by file, for files whose
            networks are not trained.
        profile: Whether to time the operations of each file, too.
        profile_secs: Seconds of timed rounds of the operations.
    """

    threads: Sequence[int] = (1,)
    timing: TimingOptions = TimingOptions()
    warmup_secs: float = 0.5
    sustained_secs: float = 0.0
    cooldown_secs: float = 0.0
    vs: Sequence[Path] = ()
    repetitions: Repetitions = Repetitions()
    run: Path | None = None
    data_dir: Path | None = None
    out: Path | None = None
    untrained: Mapping[Path, Path] = MappingProxyType({})
    profile: bool = False
    profile_secs: float = 3.0

    def results_path(self, file: Path) -> Path:
        """Return the JSONL file for a file's measurements."""
        if self.out:
            return self.out
        return Path(FILE_NAME) if file in self.untrained else file.parent / FILE_NAME


@dataclass(frozen=True)
class Measurements:
    """What was measured, and what could not be.

    Attributes:
        documents: The measurements, as appended to the JSONL files.
        conclusions: Results of the comparisons, in words.
        failures: What could not be measured or written, with the keys ``reason``, and ``file`` or
            ``place`` or both.
    """

    documents: list[dict[str, Any]] = field(default_factory=list)
    conclusions: list[str] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)


def measure_files(
    files: Sequence[Path], options: MeasurementOptions, places: Sequence[Place] = (Local(),)
) -> Measurements:
    """Measure files at each place with each number of threads.

    Each measurement is appended to a JSONL file. If one cannot be written, for example because the
    disk is full, the rest is still made. A file or a place that fails leaves the others.

    Args:
        files: The `.tflite` files.
        options: How to measure them.
        places: Where to measure them.

    Raises:
        ModelFileError: The only file, or the one to compare with, is not a runnable classifier.
        UsageError: Files are to be compared at another place than this machine.
        Error: The results cannot be written, or the images of `run` are not available; or the only
            file fails at the only place.
    """
    if options.vs and [place.name for place in places] != [Local.name]:
        raise UsageError("--vs compares files on this machine alone.")
    for place in places:
        if options.sustained_secs and not place.can_sustain:
            raise UsageError(f"--sustained works on this machine and over --ssh, not {place.name}.")
        if options.profile and not (place.can_profile or place.has_native_profile):
            raise UsageError(
                "--profile works on this machine, over --ssh and with --adb --benchmark-model, not "
                f"{place.name}."
            )
    _require_writable_results(files, options)
    session = _Session(options, alone=len(files) * len(places) == 1)
    readable = []
    for file in files:
        with session.failures_of(file=str(file)):
            check_identifier(file)
            readable.append(file)
    with ExitStack() as stack:
        connected = []
        for place in places if readable else ():
            with session.failures_of(place=place.name):
                connected.append(stack.enter_context(place))
        if options.vs and readable:
            session.compare(readable)
            return session.found
        for index, file in enumerate(readable if connected else ()):
            if index:
                time.sleep(options.cooldown_secs)
            with session.failures_of(file=str(file)):
                session.measure_file(file, connected)
    return session.found


def _require_writable_results(files: Sequence[Path], options: MeasurementOptions) -> None:
    """Refuse what would fail only after a measurement: the second file, the results' paths.

    Raises:
        ModelFileError: The file to compare with is not a TFLite file.
        Error: The results cannot be written.
    """
    for file in options.vs:
        check_identifier(file)
    measured = (*files, *options.vs)
    for path in {options.results_path(file) for file in measured if options.out or file.is_file()}:
        try:
            require_writable(path)
        except OSError as error:
            raise Error(_not_written(path, error)) from error


class _Session:
    """Measures files, and collects what is measured and what fails.

    Args:
        options: How to measure them.
        alone: Whether there is only one file and one place, whose failure is an exception.
    """

    def __init__(self, options: MeasurementOptions, alone: bool) -> None:
        self.found = Measurements()
        self._options = options
        self._alone = alone
        self._unwritten: set[Path] = set()

    @contextmanager
    def failures_of(self, **what: str) -> Iterator[None]:
        """Collect an exception as a failure, if the rest can still be measured.

        Args:
            **what: The file or the place.
        """
        try:
            yield
        except (Error, ModelFileError) as error:
            if self._alone or isinstance(error, UsageError):
                raise
            self.found.failures.append({**what, "reason": failure_reason(error)})

    def measure_file(self, file: Path, places: Sequence[Place]) -> None:
        """Measure a file at each place with each number of threads.

        Raises:
            ModelFileError: The file is not a runnable classifier.
            Error: The images of the run are not available, or the only place fails.
        """
        with self._inputs(file) as inputs:
            self._measure(file, inputs, places)

    def _inputs(self, file: Path) -> AbstractContextManager[Inputs]:
        """Return the images for a file."""
        options = self._options
        if file in options.untrained:
            return nullcontext(Inputs(options.untrained[file], "photographs"))
        return saved_inputs(file, options.run, options.data_dir)

    def _measure(self, file: Path, inputs: Inputs, places: Sequence[Place]) -> None:
        here = any(isinstance(place, Local) for place in places) and 1 in self._options.threads
        with reference(file, inputs, self._options, warm=here) as (process, job, expected):
            for place in places:
                for num_threads in self._options.threads:
                    log(_progress(str(file), num_threads, place))
                    with self.failures_of(file=str(file), place=place.name):
                        each = replace(job, num_threads=num_threads)
                        loaded: AbstractContextManager[LoadedFile] = (
                            nullcontext(place.file(process, each, host()))
                            if isinstance(place, Local) and num_threads == 1
                            else place.load(each)
                        )
                        self._measure_at(place, each, loaded, expected)

    def _measure_at(
        self,
        place: Place,
        job: Job,
        loading: AbstractContextManager[LoadedFile],
        expected: digest.Reference,
    ) -> None:
        """Compare the outputs of a file at a place with those here, then time it there.

        Raises:
            DigestError: The outputs differ.
        """
        with loading as loaded:
            try:
                compared = digest.compare(expected, loaded.outputs())
            except digest.DigestError as error:
                raise digest.DigestError(
                    f"{job.file} is not timed at {place.name}: {error}."
                ) from None
            measured = loaded.measure()
            if self._options.profile and place.has_native_profile:
                native = {"native_profile": loaded.native_profile()}
                measured = measured._replace(extra=measured.extra | native)
        if self._options.profile and place.can_profile:
            log(f"{job.file}: time each operation")
            profile = _profile(place, job, self._options.profile_secs)
            measured = measured._replace(extra=measured.extra | {"profile": profile})
        untrained = job.file in self._options.untrained
        self._append(record(job, place.name, measured, compared, untrained=untrained))

    def compare(self, files: Sequence[Path]) -> None:
        """Time files alternately with those of `vs`, with each number of threads.

        The latter run on the images of the first file.

        Args:
            files: At least one file.

        Raises:
            ModelFileError: The only file, or the only other one, is not a runnable classifier.
            Error: The images of the run are not available.
        """
        loaded: list[tuple[Job, digest.Digest]] = []
        with ExitStack() as stack:
            for file in files:
                with self.failures_of(file=str(file)):
                    loaded.append(self._load(file, stack.enter_context(self._inputs(file))))
            count = len(loaded)
            for file in self._options.vs if loaded else ():
                with self.failures_of(file=str(file)):
                    loaded.append(self._load(file, loaded[0][0].inputs))
            if len(loaded) > 1:
                for num_threads in self._options.threads:
                    self._compare(loaded, count, num_threads)

    def _load(self, file: Path, inputs: Inputs) -> tuple[Job, digest.Digest]:
        """Return the measurement of a file, and the digest of its outputs on this machine."""
        with reference(file, inputs, self._options) as (process, job, expected):
            return job, digest.compare(expected, outputs_of(process))

    def _compare(
        self, loaded: Sequence[tuple[Job, digest.Digest]], count: int, num_threads: int
    ) -> None:
        """Time files alternately, of which the first `count` are not those of `vs`."""
        options, machine = self._options, host()
        jobs = [replace(job, num_threads=num_threads) for job, _ in loaded]
        log(_progress(", ".join(str(job.file) for job in jobs), num_threads, Local()))
        with progress("processes", options.repetitions.max_processes) as advance:
            found = compare_all(
                [job.load_options for job in jobs], options.timing, options.repetitions, advance
            )
        for index, (job, (_, compared)) in enumerate(zip(jobs, loaded, strict=True)):
            pairs = {
                second: pair for (first, second), pair in found.pairs.items() if first == index
            }
            self.found.conclusions.extend(pair.conclusion for pair in pairs.values())
            extra: dict[str, Any] = {"warmup": found.warmups[index]}
            if len(jobs) > 2:
                extra["versus"] = [pair.versus() for pair in pairs.values()]
            measured = measured_here(found.rows[index], machine)._replace(extra=extra)
            versus = pairs[count].versus() if index < count < len(jobs) else None
            untrained = job.file in options.untrained
            self._append(record(job, Local.name, measured, compared, versus, untrained))

    def _append(self, document: dict[str, Any]) -> None:
        """Add a measurement to those found, and append it to its JSONL file."""
        self.found.documents.append(document)
        path = self._options.results_path(Path(document["file"]))
        try:
            append(path, document)
        except OSError as error:
            if path not in self._unwritten:
                self._unwritten.add(path)
                reason = _not_written(path, error)
                self.found.failures.append({"file": str(path), "reason": reason})


@contextmanager
def reference(
    file: Path, inputs: Inputs, options: MeasurementOptions, warm: bool = False
) -> Iterator[tuple[RunnerProcess, Job, digest.Reference]]:
    """Load a file on this machine, with one thread, and compute its outputs.

    Args:
        file: The `.tflite` file.
        inputs: Its images.
        options: How it is going to be measured.
        warm: Whether to warm it up, to measure it in this process.

    Yields:
        The process, the measurement with one thread, and the outputs.

    Raises:
        ModelFileError: The file is not a runnable classifier.
    """
    path = str(inputs.path) if inputs.path else None
    with RunnerProcess(
        LoadOptions(str(file), 1, options.warmup_secs if warm else 0.0, path)
    ) as process:
        loaded = process.loaded
        with file.open("rb") as opened:
            sha256 = hashlib.file_digest(opened, "sha256").hexdigest()
        job = Job(
            file,
            sha256,
            loaded,
            inputs,
            num_threads=1,
            warmup_secs=options.warmup_secs,
            timing=options.timing,
            sustained_secs=options.sustained_secs,
        )
        yield process, job, digest.reference(file, outputs_of(process), loaded.output)


def _profile(place: Place, job: Job, secs: float) -> dict[str, Any]:
    """Time the operations of a file at a place, on its first image."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "operations.zip"))
        image = job.raw_images()[:1]
        archive: Archive = isolation.call(
            "benchmark.profile.archive.write_archive", str(job.file), image, path, file=job.file
        )
        options = ProfileOptions(
            path,
            archive.names,
            [*PEAKS],
            job.num_threads,
            secs,
            [*COPIES],
            archive.fused_names,
        )
        return document(archive, place.profile(job, options))


def _progress(files: str, num_threads: int, place: Place) -> str:
    where = "" if isinstance(place, Local) else f" at {place.name}"
    return f"{files}{where}, {num_threads} thread{'s' * (num_threads > 1)}"


def _not_written(path: Path, error: OSError) -> str:
    return f"Cannot append to {path}: {error.strerror}. Name another file with --out."
