"""Measurements with what the file's name and its export tell about it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from cnn_keras.errors import Error

from ..benchmark.results_files import Result
from ..recipes import RECIPES
from .exports import Exported

_SUFFIX = re.compile(
    rf"_(?P<recipe>{'|'.join(sorted(RECIPES, key=len, reverse=True))})(_u?int(8|16)){{0,2}}$"
)
_UNTRAINED = re.compile(r"_(?P<input>\d+x\d+x\d+)_\d+$")  # the folder of untrained files


class Measurement(NamedTuple):
    """A measurement, as in the CSV file. None stands for what is not known.

    Attributes:
        time: End of the measurement, in UTC.
        file: Path of the file.
        name: The last parts of the path, as many as distinguish it from other files.
        sha256: Hash of its content.
        network: Name of the network.
        data: Name of its data set.
        input: Shape of an image.
        recipe: Name of the recipe.
        place: Where the file ran.
        host: The machine there: its name and the number of cores.
        num_threads: Threads that the runtime may use.
        runtime: The program that ran the file, and its version.
        untrained: Whether the weights are random, so that there is no accuracy.
        accuracy: Top-1 accuracy on held-out images; see `exports.Exported` for this and the next.
        accuracy_low: Lower end of its 95 % interval.
        accuracy_high: Upper end.
        drop_points: Loss of accuracy in percentage points.
        latency_p50_ms: See `benchmark.runner.Row` for this and the rest.
    """

    time: str
    file: str
    name: str
    sha256: str
    network: str
    data: str | None
    input: str | None
    recipe: str | None
    place: str
    host: str
    num_threads: int
    runtime: str
    untrained: bool
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    drop_points: float | None
    latency_p50_ms: float
    latency_p90_ms: float | None
    latency_p99_ms: float | None
    latency_min_ms: float
    latency_mean_ms: float
    first_ms: float
    load_ms: float
    peak_rss_mb: float | None
    size_bytes: int
    nodes: int | None
    delegated_nodes: int | None
    partitions: int | None
    dtype: str
    activation_dtype: str | None
    inputs: str


def measurements(
    results: Sequence[Result], exports: Mapping[str, Exported]
) -> list[tuple[Measurement, dict[str, Any]]]:
    """Return the measurements, each with its row, oldest first.

    Raises:
        Error: A time is not a date and time.
    """
    names = _distinguishing_names({(row["file"], row["sha256"]) for _, row in results})
    found = [(_measurement(result, exports, names), result.row) for result in results]
    return sorted(found, key=lambda each: each[0].time)


def latest(found: Sequence[Measurement]) -> list[Measurement]:
    """Return the latest measurement of each content, place, host, number of threads and runtime.

    Args:
        found: Measurements, oldest first.
    """
    return [*{_case(each): each for each in found}.values()]


def _case(each: Measurement) -> tuple[object, ...]:
    """Return what is the same in measurements that repeat each other."""
    return each.sha256, each.place, each.host, each.num_threads, each.runtime.partition(" ")[0]


def _measurement(
    result: Result, exports: Mapping[str, Exported], names: Mapping[str, str]
) -> Measurement:
    row = result.row
    path = PurePosixPath(row["file"])
    exported = exports.get(row["sha256"], Exported())
    network, recipe = _from_name(path.stem)
    if row["untrained"]:
        # Its export would be that of other weights.
        in_folder = _UNTRAINED.search(path.parent.parent.name)
        shape = in_folder["input"].replace("x", "×") if in_folder else None
        exported = Exported(recipe=exported.recipe, input=shape)
    version = row["runtime_version"]
    known = {name: row[name] for name in Measurement._fields if name in row}
    return Measurement(
        **known
        | {
            "time": _utc(row["time"], result),
            "name": names[row["file"]],
            "network": exported.network or network,
            "data": exported.data,
            "input": exported.input,
            "recipe": exported.recipe or recipe,
            "host": _host_name(row["host"]),
            "runtime": f"{row['runtime']} {version}" if version else row["runtime"],
            "accuracy": exported.accuracy,
            "accuracy_low": exported.accuracy_low,
            "accuracy_high": exported.accuracy_high,
            "drop_points": exported.drop_points,
        }
    )


def _utc(text: str, result: Result) -> str:
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        return time.astimezone(UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError):
        raise Error(
            f"{result.path} has a measurement of the time '{text[:40]}': "
            "expected one such as 2026-11-30T12:00:00+00:00."
        ) from None


def _from_name(stem: str) -> tuple[str, str | None]:
    """Return the network and the recipe that a file is named after.

    Example:
        >>> _from_name("resnet18_static_wi8_ai8_uint8"), _from_name("mobile")
        (('resnet18', 'static_wi8_ai8'), ('mobile', None))
    """
    found = _SUFFIX.search(stem)
    return (stem[: found.start()], found["recipe"]) if found else (stem, None)


def _host_name(host: Mapping[str, Any]) -> str:
    """Return the name of a machine, which rows of the same machine share."""
    keys = ("model", "cpu", "soc", "browser")
    name = next((host[key] for key in keys if host.get(key)), "unknown")
    cores = host["cores"]
    return f"{name}, {cores} core{'s' * (cores != 1)}" if cores else name


def _distinguishing_names(files: set[tuple[str, str]]) -> dict[str, str]:
    """Return a name of each path: its last parts, as many as distinguish different contents.

    Args:
        files: Paths and hashes.
    """
    by_name: dict[str, set[tuple[str, str]]] = {}
    for path, sha256 in files:
        by_name.setdefault(PurePosixPath(path).name, set()).add((path, sha256))
    names: dict[str, str] = {}
    for same in by_name.values():
        parts = {path: PurePosixPath(path).parts for path, _ in same}
        counts: Sequence[int] = [1]
        if len({sha256 for _, sha256 in same}) > 1:
            counts = range(1, max(map(len, parts.values())) + 1)
        for count in counts:
            shortened = {path: "/".join(each[-count:]) or path for path, each in parts.items()}
            if len(set(shortened.values())) == len(parts):
                break
        names |= shortened
    return names
