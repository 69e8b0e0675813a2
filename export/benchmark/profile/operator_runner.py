"""The program that times the operations of a `.tflite` file.

`python -m export.benchmark.profile.operator_runner` reads a JSON line with `ProfileOptions` on
stdin, and answers with a line of `Times`. Like `runner` it needs only the standard library, numpy
and LiteRT.

Blocks of rounds of the whole file and blocks of rounds of all operations alternate. A round runs
each operation once, in the order of the file, so that it finds in the caches what it finds there in
the whole file: its inputs, which are read before it is timed, and of its weights what fits beside
those of the others. Between them are a few files that do nothing: their latency is that of a call,
which a file of one operation has and an operation in the whole file has not. Afterwards each
operation is timed alone, with its weights in the caches.
"""

from __future__ import annotations

import gc
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...tflite.raw_model import RawModel
from ...worker import limit_memory, serve

WHOLE, CALL = "whole", "call"
"""Names of files in the archive, beside those of the operations."""

_MIN_ROUNDS = 20
_BLOCK = 5  # rounds, after an untimed one
_CALLS = 8  # files that do nothing
_ALONE_SECS = 0.02  # for each operation
_COPIED_BYTES = 2**26  # in each measurement of the bandwidth


class ProfileOptions(NamedTuple):
    """What to time, and how long.

    Attributes:
        archive: Path of a ZIP file with `<name>.tflite` and `<name>_<index>.npy`, its inputs, for
            `WHOLE`, `CALL`, each of the operations and each of the peaks.
        operations: Names of the operations, in the order of the file.
        peaks: Names of files whose operation is as fast as any on this machine.
        num_threads: Threads that LiteRT may use.
        secs: Seconds of timed rounds.
        copies: Bytes of the arrays that are copied to measure the bandwidth of the memory.
        fused: Names of operations that are fused into one of the file, each by itself.
    """

    archive: str
    operations: list[str]
    peaks: list[str]
    num_threads: int
    secs: float
    copies: list[int]
    fused: Sequence[str] = ()


class Times(NamedTuple):
    """Median times of rounds, in ms.

    Attributes:
        whole_ms: The whole file.
        call_ms: A call of a file that does nothing.
        alone_call_ms: The same, alone; with its code in the caches it is faster.
        operations_ms: Each operation, with a call.
        alone_ms: The same, alone.
        fused_ms: Each fused operation, with a call; each is timed alone.
        delegated: Whether XNNPACK runs the operation.
        peaks_ms: Each peak, with a call; each is timed alone.
        copies_ms: Copying an array of each size, alone.
        rounds: Number of rounds.
    """

    whole_ms: float
    call_ms: float
    alone_call_ms: float
    operations_ms: list[float]
    alone_ms: list[float]
    fused_ms: list[float]
    delegated: list[bool]
    peaks_ms: list[float]
    copies_ms: list[float]
    rounds: int


def profile(options: ProfileOptions) -> Times:
    """Time the operations of a file in turn with the whole file.

    Raises:
        ModelFileError: LiteRT cannot run one of the files.
    """
    with zipfile.ZipFile(options.archive) as archive:
        names = set(archive.namelist())

        def load(name: str) -> RawModel:
            model = RawModel(archive.read(f"{name}.tflite"), options.num_threads)
            inputs: list[NDArray[Any]] = []
            while (array := f"{name}_{len(inputs)}.npy") in names:
                inputs.append(np.load(BytesIO(archive.read(array))))
            model.set_inputs(inputs)
            model.invoke()
            return model

        peaks = [_alone_ms(load(name), 5 * _ALONE_SECS) for name in options.peaks]
        fused = [_alone_ms(load(name), _ALONE_SECS) for name in options.fused]
        whole, calls = load(WHOLE), [load(CALL) for _ in range(_CALLS)]
        operations = [load(name) for name in options.operations]
    in_turn: list[RawModel] = []
    for index, model in enumerate(operations):
        due = round((index + 1) * _CALLS / len(operations))
        in_turn += [model, *calls[round(index * _CALLS / len(operations)) : due]]
    whole_samples, samples = _alternating([whole], in_turn, options.secs)
    medians = np.median(samples, axis=0) / 1e6
    ms = {id(model): float(medians[index]) for index, model in enumerate(in_turn)}
    return Times(
        whole_ms=float(np.median(whole_samples)) / 1e6,
        call_ms=float(np.mean([ms[id(call)] for call in calls])),
        alone_call_ms=_alone_ms(calls[0], _ALONE_SECS),
        operations_ms=[ms[id(model)] for model in operations],
        alone_ms=[_alone_ms(model, _ALONE_SECS) for model in operations],
        fused_ms=fused,
        delegated=[model.is_delegated() for model in operations],
        peaks_ms=peaks,
        copies_ms=[_copy_ms(size) for size in options.copies],
        rounds=len(samples),
    )


def _alternating(
    first: Sequence[RawModel], second: Sequence[RawModel], secs: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Alternate blocks of rounds of some models with those of others.

    Returns:
        The nanoseconds of the calls of both, `(rounds, models)`.
    """
    samples: tuple[list[list[int]], list[list[int]]] = ([], [])
    end = time.perf_counter() + secs
    while time.perf_counter() < end or len(samples[1]) < _MIN_ROUNDS:
        for index, models in enumerate((first, second)):
            _rounds(models, 1)
            samples[index].extend(_rounds(models, _BLOCK))
    overhead = _clock_overhead_ns()
    whole, others = (np.maximum(np.array(each, np.float64) - overhead, 0.0) for each in samples)
    return whole, others


def _rounds(models: Sequence[RawModel], count: int) -> list[list[int]]:
    """Run all models in turn; return the nanoseconds of the calls in each round."""
    clock = time.perf_counter_ns
    samples = []
    gc.disable()
    try:
        for _ in range(count):
            sample = []
            for model in models:
                model.read_inputs_and_outputs()
                start = clock()
                model.invoke()
                sample.append(clock() - start)
            samples.append(sample)
    finally:
        gc.enable()
    return samples


def _clock_overhead_ns() -> float:
    """Return the nanoseconds between two readings of the clock."""
    clock = time.perf_counter_ns
    return float(np.median([-(clock() - clock()) for _ in range(1000)]))


def _alone_ms(model: RawModel, secs: float) -> float:
    """Return the median ms of a model that runs alone."""
    start = time.perf_counter()
    samples = _rounds([model], _BLOCK)
    while time.perf_counter() < start + secs:
        samples += _rounds([model], _BLOCK)
    return max(float(np.median(samples)) - _clock_overhead_ns(), 0.0) / 1e6


def _copy_ms(size: int) -> float:
    """Return the ms of copying an array of a size in bytes within the memory."""
    source, target = np.ones(size, np.uint8), np.empty(size, np.uint8)
    times = max(1, _COPIED_BYTES // size)
    best = np.inf
    for _ in range(5):
        start = time.perf_counter_ns()
        for _ in range(times):
            np.copyto(target, source)
        best = min(best, (time.perf_counter_ns() - start) / times)
    return float(best) / 1e6


def answer_requests(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
    """Answer each profile options.

    Raises:
        ModelFileError: LiteRT cannot run one of the files.
    """
    for request in requests:
        answer(profile(ProfileOptions(**request))._asdict())


if __name__ == "__main__":
    limit_memory()
    sys.exit(serve(answer_requests))
