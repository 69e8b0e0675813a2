"""The command `benchmark`: latency and memory of `.tflite` files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from cnn_keras.command import Command, Outcome, write_atomic
from cnn_keras.errors import UsageError
from cnn_keras.options import DataDirOption

from .places.adb import AdbOptions
from .places.local import LocalOptions
from .places.ssh import SshOptions
from .places.web import WebOptions

if TYPE_CHECKING:
    from .runner import Row

CONSTANT_REMARK = "has the same output for all images, so that comparing its outputs proves little"


@dataclass(frozen=True)
class Benchmark(LocalOptions, SshOptions, AdbOptions, WebOptions, DataDirOption, Command):
    """Measure latency and memory of .tflite files.

    The whole command line has a subclass that also takes networks by name.
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
    profile: bool = False
    """Time each operation, too, and print the latency by row of the paper."""
    by: Literal["row", "op", "stage"] = "row"
    """What the operations of a profile are grouped by."""
    figure: Path | None = None
    """With --profile, draw the rows and the roofline of a file into this file, .svg or .png."""
    model_explorer: Path | None = None
    """With --profile, write the latency of the operations of a file for Model Explorer."""
    run: Path | None = None
    """Run folder whose validation images are the inputs; by default the one that export.json,
    beside the file, names."""
    out: Path | None = None
    """JSONL file to append to; by default benchmarks.jsonl beside each file."""

    def __call__(self) -> Outcome:
        from rich.console import Group

        from cnn_keras.tables import escape

        from ..provenance import same_network
        from ..tflite.flatbuffer import has_dynamic_batch
        from ..tflite.interpreter import DYNAMIC_BATCH_REMARK
        from .integer_speed import integer_note
        from .measurements import MeasurementOptions, measure_files
        from .results import table
        from .runner import TimingOptions

        self._validate()
        files, untrained = self.measured_files()
        options = MeasurementOptions(
            threads=self.threads,
            timing=TimingOptions(self.num_runs, self.min_secs, self.max_secs),
            warmup_secs=self.warmup_secs,
            vs=self.vs,
            processes=self.processes,
            run=self.run,
            data_dir=self.data_dir,
            out=self.out,
            untrained=untrained,
            profile=self.profile,
        )
        found = measure_files(files, options, self.places())
        rows = found.documents
        measured = dict.fromkeys(row["file"] for row in rows)
        remarks = [
            f"{file} {DYNAMIC_BATCH_REMARK}." for file in measured if has_dynamic_batch(file)
        ]
        remarks += dict.fromkeys(
            f"{row['file']} gives the same output for all images: their comparison proves little."
            for row in rows
            if row["digest"]["distinct_outputs"] == 1
        )
        hosts = {row["place"]: row["host"] for row in rows}
        notes = (
            integer_note(host["instructions"], _complete(rows, place), same_network)
            for place, host in hosts.items()
        )
        note = "\n".join(filter(None, notes)) or None
        document = {
            "rows": rows,
            "note": note,
            "remarks": remarks,
            "failed": found.failures,
        }
        lines = [
            *found.conclusions,
            *remarks,
            *([note] if note else []),
            *(failure["reason"] for failure in found.failures),
        ]
        host_lines = [
            _host_line(machine) if len(hosts) == 1 else f"{place}: {_host_line(machine)}"
            for place, machine in hosts.items()
        ]
        profiles = self._profiles(rows)
        text = Group(table(rows), *map(escape, (*host_lines, *lines)), *profiles)
        return Outcome(document, text, exit_code=1 if found.failures else 0)

    def _profiles(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the table and the conclusion of each profile, and write its files."""
        from cnn_keras.report.figure_file import write_figure

        from .profile.results import conclusion
        from .profile.tables import node_data, profile_figure, profile_table

        found = []
        for row in rows:
            if "profile" not in row:
                continue
            threads = "1 thread" if row["num_threads"] == 1 else f"{row['num_threads']} threads"
            title = f"{Path(row['file']).name}, {row['place']}, {threads}"
            found += [profile_table(title, row["profile"], self.by), conclusion(row["profile"])]
            if self.figure:
                write_figure(profile_figure(title, row["profile"]), self.figure)
            if self.model_explorer:
                write_atomic(self.model_explorer, node_data(title, row["profile"]))
        return found

    def measured_files(self) -> tuple[Sequence[Path], Mapping[Path, Path]]:
        """Return the files, and the images of those whose networks are not trained.

        See `MeasurementOptions.untrained`.
        """
        return self.files, {}

    def _validate(self) -> None:
        """Refuse wrong options.

        Raises:
            UsageError: An option is wrong.
        """
        from cnn_keras.report.figure_file import require_suffix

        if not self.files:
            raise UsageError("Name at least one .tflite file.")
        if not self.threads or min(self.threads) < 1 or self.num_runs < 1:
            raise UsageError("--threads and --num-runs must be at least 1.")
        if self.processes < 2:
            raise UsageError(f"An interval needs two --processes or more, not {self.processes}.")
        if (self.figure or self.model_explorer) and not self.profile:
            raise UsageError("--figure and --model-explorer are for --profile.")
        require_suffix(self.figure)
        if self.profile and self.vs:
            raise UsageError("--profile and --vs are two commands.")
        if (self.figure or self.model_explorer) and len(self.files) * len(self.threads) > 1:
            raise UsageError("--figure and --model-explorer are for one file and --threads.")
        if min(self.min_secs, self.max_secs, self.warmup_secs) < 0:
            raise UsageError("--min-secs, --max-secs and --warmup-secs must not be negative.")


def _complete(rows: Sequence[dict[str, Any]], place: str) -> list[Row]:
    """Return the measurements of a place that knows which operations XNNPACK runs."""
    from .runner import Row

    known = [row for row in rows if row["place"] == place and row["nodes"] is not None]
    return [Row(**{name: row[name] for name in Row._fields}) for row in known]


def _host_line(machine: dict[str, Any]) -> str:
    """Describe a machine; a place may not know all of it."""
    instructions = ", ".join(machine.get("instructions") or ()) or "unknown instructions"
    cores = f"{machine['cores']} cores" if machine.get("cores") else "unknown cores"
    known = [machine.get("architecture"), cores, instructions]
    if machine.get("governor"):
        known.append(f"governor {machine['governor']}")
    load = machine.get("load_average")
    name = machine.get("model") or machine.get("cpu") or "unknown CPU"
    details = ", ".join(filter(None, known))
    return f"{name} ({details})" + ("" if load is None else f", load average {load}")
