"""This machine as a place: each file runs in a fresh process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnn_keras.command import progress
from cnn_keras.machine import RUNTIME_PACKAGES, Host, host, versions

from .place import Job, LoadedFile, Measured, Outputs, Place, PlaceOptions

if TYPE_CHECKING:
    from ..profile.operator_runner import ProfileOptions, Times
    from ..runner import Row
    from ..runner_process import RunnerProcess


class Local(Place):
    """This machine.

    Args:
        benchmark_model: The program for this machine that profiles, too.
    """

    name = "local"
    can_sustain = True
    can_profile = True

    def __init__(self, benchmark_model: Path | None = None) -> None:
        self.benchmark_model = benchmark_model
        self.has_native_profile = benchmark_model is not None

    @contextmanager
    def load(self, job: Job) -> Iterator[LoadedFile]:
        """Load a file in a fresh process; see `Place.load`."""
        from ..runner_process import RunnerProcess

        machine = host()  # its load average is that before the process starts
        with RunnerProcess(job.load_options) as process:
            yield self.file(process, job, machine)

    def file(self, process: RunnerProcess, job: Job, machine: Host) -> LocalFile:
        """Return a file that a process has loaded."""
        return LocalFile(process, job, machine, self.benchmark_model)

    def profile(self, job: Job, options: ProfileOptions) -> Times:
        """Time the operations of a file in a fresh process; see `Place.profile`."""
        from ..profile.process import profile

        return profile(job.file, options)


class LocalFile(LoadedFile):
    """A file in a process on this machine.

    Args:
        process: The process that has loaded it.
        job: The measurement.
        machine: This machine.
        benchmark_model: The program that profiles, too.
    """

    def __init__(
        self,
        process: RunnerProcess,
        job: Job,
        machine: Host,
        benchmark_model: Path | None = None,
    ) -> None:
        self._process = process
        self._job = job
        self._machine = machine
        self._benchmark_model = benchmark_model

    def outputs(self) -> Outputs:
        """Run the images of the job; see `LoadedFile.outputs`."""
        return outputs_of(self._process)

    def measure(self) -> Measured:
        """Time the file; see `LoadedFile.measure`."""
        self._process.run(self._job.timing)
        extra = self._process.stability() | sustain(self._process, self._job)
        return measured_here(self._process.row(), self._machine)._replace(extra=extra)

    def native_profile(self) -> dict[str, Any]:
        """Profile the file by `benchmark_model`; see `LoadedFile.native_profile`."""
        from .native_profile import profile_here

        assert self._benchmark_model, "the place has a native profile"
        return profile_here(self._benchmark_model, self._job)


@dataclass(frozen=True, kw_only=True)
class LocalOptions(PlaceOptions):
    """The option that names this machine."""

    local: bool = False
    """Measure on this machine, too, if the options name another place."""

    def places(self) -> list[Place]:
        """Return the places that the options name, or this machine if they name none."""
        others = super().places()
        if others and not self.local:
            return others
        for_android = any(place.has_native_profile for place in others)
        return [Local(None if for_android else self.benchmark_model), *others]


def outputs_of(process: RunnerProcess) -> Outputs:
    """Run all images of a process."""
    import numpy as np

    raw = [process.output(index) for index in range(process.loaded.num_images)]
    return Outputs(np.concatenate(raw), process.loaded.delegated_nodes)


def sustain(process: RunnerProcess, job: Job) -> dict[str, Any]:
    """Run a file without a pause as long as the job says; return the further key of its row."""
    if not job.sustained_secs:
        return {}
    from ..stability import throttled_at

    windows = []
    with progress(f"run for {job.sustained_secs:g} s", round(job.sustained_secs)) as advance:
        for window in process.sustain(job.sustained_secs):
            windows.append(window)
            advance()
    return {"sustained": {"throttled_at_s": throttled_at(windows), "windows": windows}}


def measured_here(row: Row, machine: Host) -> Measured:
    """Return a measurement of LiteRT on this machine.

    Args:
        row: What its process has measured.
        machine: This machine, before.
    """
    found = versions(RUNTIME_PACKAGES)
    return Measured(
        row._asdict(),
        machine._asdict(),
        found,
        "LiteRT",
        found["ai-edge-litert"],
        delegate_used="XNNPACK" if row.delegated_nodes else None,
    )
