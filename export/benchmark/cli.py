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


# Browsers come last: a board that cannot be reached fails before the user takes a phone.
@dataclass(frozen=True)
class Benchmark(LocalOptions, WebOptions, AdbOptions, SshOptions, DataDirOption, Command):
    """Measure latency and memory of .tflite files.

    The whole command line has a subclass that also takes networks by name.
    """

    files: tyro.conf.Positional[tuple[Path, ...]]
    """The .tflite files."""
    threads: tuple[int, ...] = (1,)
    """Numbers of threads; each file is measured with each."""
    vs: tuple[Path, ...] = ()
    """Time all files alternately with these, and report the ratio of each two with its interval."""
    processes: int = 8
    """Least number of processes of each file, with --vs and --baseline: the memory layout of a
    process makes it faster or slower than the next one."""
    max_processes: int | None = None
    """Greatest number of them; by default twice as many."""
    precision: str = "1%"
    """More processes are started until the intervals of the ratios reach no further than this from
    their centers. It is also the smallest difference that is called one."""
    num_runs: int = 50
    """Minimum number of timed inferences."""
    min_secs: float = 1.0
    """Minimum seconds of timed inferences."""
    max_secs: float = 150.0
    """Maximum seconds of timed inferences, even if there are fewer than num-runs."""
    warmup_secs: float = 0.5
    """Least seconds of inferences before the timed ones. They go on until the latency is stable, at
    most ten times as long."""
    baseline: Path | None = None
    """Refuse files that are slower than those of this JSONL file, with exit code 1. A file of the
    baseline that is still there is timed alternately with the file of its name; otherwise their
    measurements are compared."""
    max_slowdown: str = "5%"
    """With --baseline, the accepted increase of the latency, such as 5% or 0.05."""
    sustained: float = 0.0
    """Run each file for this many seconds more without a pause, and show when it slows down."""
    cooldown_secs: float = 0.0
    """Seconds of rest between files, for a processor that heats up."""
    profile: bool = False
    """Time each operation, too, and print the latency by row of the paper."""
    profile_secs: float = 3.0
    """Seconds of timed rounds of the operations, with --profile."""
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

        from .comparison.gate import gate, read_baseline
        from .comparison.rounds import Repetitions
        from .measurements import MeasurementOptions, measure_files
        from .results import pair_tables, table
        from .runner import TimingOptions

        max_slowdown, precision = self._validate()
        baseline = read_baseline(self.baseline) if self.baseline else []
        files, untrained = self.measured_files()
        timing = TimingOptions(self.num_runs, self.min_secs, self.max_secs)
        max_processes = self.max_processes or 2 * self.processes
        repetitions = Repetitions(self.processes, max_processes, precision)
        options = MeasurementOptions(
            threads=self.threads,
            timing=timing,
            warmup_secs=self.warmup_secs,
            sustained_secs=self.sustained,
            cooldown_secs=self.cooldown_secs,
            vs=self.vs,
            repetitions=repetitions,
            run=self.run,
            data_dir=self.data_dir,
            out=self.out,
            untrained=untrained,
            profile=self.profile,
            profile_secs=self.profile_secs,
        )
        found = measure_files(files, options, self.places())
        rows, failures = found.documents, [failure["reason"] for failure in found.failures]
        notes, remarks = _notes(rows), _remarks(rows)
        document = {
            "rows": rows,
            "note": "\n".join(notes) or None,
            "remarks": remarks,
            "failed": found.failures,
        }
        conclusions = found.conclusions
        accepted = True
        if self.baseline:
            gated = gate(rows, baseline, max_slowdown, timing, repetitions)
            document["gate"] = [each.as_json() for each in gated]
            conclusions = [*conclusions, *(each.reason for each in gated)]
            accepted = all(each.accepted for each in gated)
        pairs = pair_tables(rows)
        if pairs:  # they are the conclusions
            conclusions = []
        lines = [*_host_lines(rows), *conclusions, *remarks, *notes, *failures]
        text = Group(table(rows), *pairs, *map(escape, lines), *self._profiles(rows))
        return Outcome(document, text, exit_code=0 if accepted and not failures else 1)

    def _profiles(self, rows: Sequence[dict[str, Any]]) -> list[Any]:
        """Return the table and the conclusion of each profile, and write its files."""
        from cnn_keras.report.figure_file import write_figure

        from .profile.results import conclusion
        from .profile.tables import native_table, node_data, profile_figure, profile_table

        found: list[Any] = []
        for row in rows:
            threads = "1 thread" if row["num_threads"] == 1 else f"{row['num_threads']} threads"
            title = f"{Path(row['file']).name}, {row['place']}, {threads}"
            if "native_profile" in row:
                found.append(native_table(f"{title}, by benchmark_model", row["native_profile"]))
            if "profile" not in row:
                continue
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

    def _validate(self) -> tuple[float, float]:
        """Refuse wrong options, and return the accepted slowdown and the precision as fractions.

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
        if self.max_processes is not None and self.max_processes < self.processes:
            raise UsageError(f"--max-processes must be at least --processes, {self.processes}.")
        if self.benchmark_model and self.adb is None and not self.profile:
            raise UsageError("--benchmark-model needs --adb or --profile.")
        if (self.figure or self.model_explorer) and not self.profile:
            raise UsageError("--figure and --model-explorer are for --profile.")
        require_suffix(self.figure)
        if self.profile and self.vs:
            raise UsageError("--profile and --vs are two commands.")
        if (self.figure or self.model_explorer) and not self.places()[0].can_profile:
            raise UsageError("--figure and --model-explorer need --local or --ssh.")
        if (self.figure or self.model_explorer) and len(self.files) * len(self.threads) > 1:
            raise UsageError("--figure and --model-explorer are for one file and --threads.")
        if self.sustained and self.vs:
            raise UsageError("--sustained and --vs are two commands.")
        durations = ("min_secs", "max_secs", "warmup_secs", "profile_secs", "sustained")
        for name in (*durations, "cooldown_secs"):
            if getattr(self, name) < 0:
                raise UsageError(f"--{name.replace('_', '-')} must not be negative.")
        if self.baseline and self.vs:
            raise UsageError("--baseline and --vs are two commands.")
        if self.baseline and any(place.name != "local" for place in self.places()):
            raise UsageError("--baseline compares files on this machine alone.")
        precision = _fraction(self.precision, "--precision")
        if not precision:
            raise UsageError("--precision must be more than 0.")
        return _fraction(self.max_slowdown, "--max-slowdown"), precision


def _complete(rows: Sequence[dict[str, Any]], place: str) -> list[Row]:
    """Return the measurements of a place that knows which operations XNNPACK runs."""
    from .runner import Row

    known = [row for row in rows if row["place"] == place and row["nodes"] is not None]
    return [Row(**{name: row[name] for name in Row._fields}) for row in known]


def _fraction(text: str, option: str) -> float:
    """Return a fraction that is given as such or in percent.

    Raises:
        UsageError: It is neither, or negative.

    Example:
        >>> _fraction("5%", "--max-slowdown")
        0.05
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value < 10:
        raise UsageError(f"{option} is a fraction such as 5% or 0.05, not {text!r}.")
    return value


def _notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Explain integer files that are slower than float files of the same network, by place."""
    from ..provenance import same_network
    from .integer_speed import integer_note

    hosts = {row["place"]: row["host"] for row in rows}
    notes = (
        integer_note(host["instructions"], _complete(rows, place), same_network)
        for place, host in hosts.items()
    )
    return list(filter(None, notes))


def _remarks(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what is to be known about the files."""
    from ..tflite.flatbuffer import has_dynamic_batch
    from ..tflite.interpreter import DYNAMIC_BATCH_REMARK
    from .results import stability_remarks

    files = dict.fromkeys(row["file"] for row in rows)
    constant = dict.fromkeys(row["file"] for row in rows if row["digest"]["distinct_outputs"] == 1)
    return [
        *(f"{file} {DYNAMIC_BATCH_REMARK}." for file in files if has_dynamic_batch(file)),
        *(f"{file} {CONSTANT_REMARK}." for file in constant),
        *stability_remarks(rows),
    ]


def _host_lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Describe each place's machine in a line."""
    hosts = {row["place"]: row["host"] for row in rows}
    return [
        _host_line(machine) if len(hosts) == 1 else f"{place}: {_host_line(machine)}"
        for place, machine in hosts.items()
    ]


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
