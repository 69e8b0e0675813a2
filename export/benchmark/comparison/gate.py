"""Refuse files that are slower than a baseline."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cnn_keras.errors import Error

from ..results import LOCAL, MACHINE
from ..results_files import read_results
from ..runner import LoadOptions, TimingOptions
from .compare import compare
from .latency_ratio import Ratio
from .rounds import Repetitions


@dataclass(frozen=True)
class Gated:
    """How a file compares with its baseline.

    Attributes:
        file: The file.
        num_threads: Threads that both were measured with.
        baseline: The file of the baseline.
        method: ``"interleaved"`` if both files were timed alternately now, or ``"rows"`` if only
            the measurements are left.
        ratio: Latency of the file over that of the baseline.
        interval: Its interval; None for rows, whose noise is not known.
        confidence: Confidence of the interval.
        max_ratio: Greatest ratio that is accepted.
        accepted: Whether the file is.
        reason: The same in words.
    """

    file: str
    num_threads: int
    baseline: str
    method: Literal["interleaved", "rows"]
    ratio: float
    interval: tuple[float, float] | None
    confidence: float | None
    max_ratio: float
    accepted: bool
    reason: str

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return asdict(self)


def read_baseline(path: Path) -> list[dict[str, Any]]:
    """Read the measurements of a JSONL file that were made on the machine of the command.

    Raises:
        Error: The file cannot be read, or has other lines.
    """
    results, _ = read_results([path])
    return [result.row for result in results if result.row["place"] == LOCAL]


def gate(
    documents: Sequence[Mapping[str, Any]],
    baseline: Sequence[Mapping[str, Any]],
    max_slowdown: float,
    timing: TimingOptions,
    repetitions: Repetitions,
) -> list[Gated]:
    """Compare measured files with those of the same name in a baseline.

    If the file of the baseline is still there, both are timed alternately, as with `--vs`: the
    ratio has an interval, and the load of the machine cancels. A file is refused if it is slower
    beyond doubt, and by more than accepted. Otherwise the measurements are compared, if they are of
    the same machine.

    Args:
        documents: The measurements of now.
        baseline: Those of the baseline, the latest last.
        max_slowdown: Accepted increase of the latency, as a fraction.
        timing: How long the files are timed.
        repetitions: When there are enough processes of each file.

    Raises:
        Error: A file has no measurement in the baseline, or only of another machine.
        ModelFileError: The file of the baseline does not run.
    """
    return [
        _gate(document, _previous(document, baseline), 1 + max_slowdown, timing, repetitions)
        for document in documents
    ]


def _previous(
    document: Mapping[str, Any], baseline: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any]:
    """Return the latest measurement of the baseline for a file.

    Raises:
        Error: There is none.
    """
    name, num_threads = Path(document["file"]).name, document["num_threads"]
    found = [
        row
        for row in baseline
        if Path(row["file"]).name == name and row["num_threads"] == num_threads
    ]
    if not found:
        raise Error(
            f"The baseline has no measurement of {name} with {num_threads} "
            f"thread{'s' * (num_threads > 1)} on its own machine: measure it once, and append the "
            "line."
        )
    return found[-1]


def _gate(
    document: Mapping[str, Any],
    previous: Mapping[str, Any],
    max_ratio: float,
    timing: TimingOptions,
    repetitions: Repetitions,
) -> Gated:
    file, old = str(document["file"]), Path(previous["file"])
    ratio: Ratio | None = None
    if previous["sha256"] != document["sha256"] and _sha256(old) == previous["sha256"]:
        load = LoadOptions(file, document["num_threads"])
        ratio = compare(load, load._replace(file=str(old)), timing, repetitions).ratio
        value, interval = ratio.value, (ratio.low, ratio.high)
        accepted = value <= max_ratio or ratio.low <= 1.0
        measured = f"({ratio.text}), both timed now"
    else:
        _require_same_machine(document, previous)
        value, interval = document["latency_p50_ms"] / previous["latency_p50_ms"], None
        accepted = value <= max_ratio
        measured = (
            f"by the measurement of {previous['time']} on this machine, which is weaker"
            " than timing both files now"
        )
    verdict = "accepted" if accepted else "refused"
    return Gated(
        file=file,
        num_threads=document["num_threads"],
        baseline=str(old),
        method="rows" if ratio is None else "interleaved",
        ratio=value,
        interval=interval,
        confidence=ratio.confidence if ratio else None,
        max_ratio=max_ratio,
        accepted=accepted,
        reason=(
            f"{file} takes {value:.3f} times as long as the baseline {measured}: {verdict}, with "
            f"{max_ratio:.3f} as the limit."
        ),
    )


def _require_same_machine(document: Mapping[str, Any], previous: Mapping[str, Any]) -> None:
    """Refuse to compare measurements of two machines.

    Raises:
        Error: They are of two.
    """
    for key in MACHINE:
        now, then = document["host"][key], previous["host"][key]
        if now != then:
            raise Error(
                f"The baseline of {document['file']} is of another machine ({key} {then}, here "
                f"{now}), and its file {previous['file']} is not there to be timed."
            )


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
