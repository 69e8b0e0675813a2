"""Which of several files is faster, by how much, and whether the difference exceeds the noise."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..runner import LoadOptions, Row, TimingOptions
from .latency_ratio import Ratio
from .rounds import Repetitions, time_rounds

NO_DIFFERENCE = "no difference shown"
FEW = Repetitions(processes=4, max_processes=4, confidence=0.95)


class Comparison(NamedTuple):
    """Two files that were timed alternately.

    Attributes:
        row: The first file's measurement: the medians over its processes, and the sum of the runs.
        other: The second file's.
        ratio: Latency of the first over latency of the second.
        processes: Number of processes of each.
        verdict: ``"faster"``, ``"slower"`` or `NO_DIFFERENCE`.
        conclusion: The ratio and the verdict in a sentence.
    """

    row: Row
    other: Row
    ratio: Ratio
    processes: int
    verdict: str
    conclusion: str

    def versus(self) -> dict[str, Any]:
        """Return the other file and the ratio, for the document of the first."""
        return {
            "file": self.other.file,
            "sha256": self.other.sha256,
            "ratio": self.ratio.value,
            "interval": [self.ratio.low, self.ratio.high],
            "confidence": self.ratio.confidence,
            "processes": self.processes,
            "verdict": self.verdict,
            "conclusion": self.conclusion,
        }


class Comparisons(NamedTuple):
    """Several files that were timed alternately.

    Attributes:
        rows: Measurement of each file: the medians over its processes, and the sum of the runs.
        warmups: How the processes of each file warmed up: the key ``warmup`` of a row.
        pairs: Each two files, the first of which comes first, by their indices.
    """

    rows: list[Row]
    warmups: list[dict[str, Any]]
    pairs: dict[tuple[int, int], Comparison]


def compare_all(
    loads: Sequence[LoadOptions],
    timing: TimingOptions,
    repetitions: Repetitions,
    advance: Callable[[], None] = lambda: None,
) -> Comparisons:
    """Time several files alternately, and compare each two.

    Args:
        loads: Two files or more.
        timing: How long each file is timed; see `time_rounds`.
        repetitions: When there are enough processes.
        advance: Is called each time that one more process of each file has ended.

    Raises:
        ModelFileError: A file is not a runnable classifier, or it crashed its process.
    """
    rounds = time_rounds(loads, timing, repetitions, advance)
    pairs = {}
    for (first, second), ratio in rounds.ratios.items():
        row, other = rounds.rows[first], rounds.rows[second]
        pairs[first, second] = Comparison(
            row,
            other,
            ratio,
            rounds.number,
            verdict(ratio, repetitions.precision),
            conclude(row.file, other.file, ratio, repetitions.precision),
        )
    return Comparisons(rounds.rows, rounds.warmups, pairs)


def compare(
    load: LoadOptions,
    other: LoadOptions,
    timing: TimingOptions,
    repetitions: Repetitions = FEW,
) -> Comparison:
    """Time two files alternately; see `compare_all`.

    Raises:
        ModelFileError: A file is not a runnable classifier, or it crashed its process.
    """
    return compare_all((load, other), timing, repetitions).pairs[0, 1]


def verdict(ratio: Ratio, smallest: float) -> str:
    """Return whether a file is faster or slower than another, or that no difference is shown.

    The interval must exclude 1, and the difference must not be less than `smallest`: with enough
    processes, a copy of a file is shown to differ by a tenth of a percent, too.

    Args:
        ratio: Latency of the file over that of the other.
        smallest: The smallest difference that is called one, as a fraction.

    Example:
        >>> verdict(Ratio(0.5, 0.49, 0.51), 0.01)
        'faster'
    """
    if ratio.low <= 1.0 <= ratio.high or _is_small(ratio, smallest):
        return NO_DIFFERENCE
    return "faster" if ratio.value < 1.0 else "slower"


def _is_small(ratio: Ratio, smallest: float) -> bool:
    return 1 / (1 + smallest) < ratio.value < 1 + smallest


def conclude(first: str, second: str, ratio: Ratio, smallest: float) -> str:
    """Express a ratio of latencies in words.

    Example:
        >>> conclude("a", "b", Ratio(0.5, 0.49, 0.51), 0.01)
        'a takes 0.500 times as long as b (95 % interval 0.490 to 0.510): it is faster.'
    """
    said = verdict(ratio, smallest)
    if said != NO_DIFFERENCE:
        said = f"it is {said}"
    elif not ratio.low <= 1.0 <= ratio.high:
        said += f" (less than {100 * smallest:g} %)"
    return f"{first} takes {ratio.value:.3f} times as long as {second} ({ratio.text}): {said}."
