"""The latency of files at one place, and of their layers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np

from cnn_keras.data.preprocessing import Float32Images

from ..benchmark.inputs import Inputs
from ..benchmark.measurements import MeasurementOptions, reference
from ..benchmark.places import digest
from ..benchmark.places.local import Local
from ..benchmark.places.place import Job, Place
from ..benchmark.profile.archive import Archive
from ..benchmark.profile.operator_runner import ProfileOptions
from ..benchmark.runner import TimingOptions
from ..tflite import isolation

_OPTIONS = MeasurementOptions(timing=TimingOptions(min_secs=0.25, max_secs=20.0), warmup_secs=0.1)
_PROFILE_SECS = 1.0


class Timer:
    """Times files at a place, each in a fresh process.

    Args:
        place: The place.
        num_threads: Threads that LiteRT may use.
        images: Preprocessed images `(n, height, width, channels)` that the files run on.

    Example:
        with Timer(Local(), 1, images) as timer:
            timer.time(Path("lenet5_float32.tflite"))  # 0.0131
    """

    def __init__(self, place: Place, num_threads: int, images: Float32Images) -> None:
        self.name = f"{place.name}, {num_threads} thread{'s' * (num_threads > 1)}"
        self._place = place
        self._num_threads = num_threads
        self._images = images
        self._known: dict[Path, tuple[Job, digest.Reference]] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._inputs = Inputs(folder / "images.npy", "validation")
            np.save(folder / "images.npy", self._images)
            stack.enter_context(self._place)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def time(self, file: Path) -> float:
        """Return the median latency of a file in ms, in a fresh process.

        Raises:
            DigestError: It computes something else at the place than on this machine.
            ModelFileError: It does not run.
            PlaceError: The place fails.
        """
        job, expected = self._job(file)
        with self._place.load(job) as loaded:
            if not isinstance(self._place, Local):
                digest.compare(expected, loaded.outputs())
            return float(loaded.measure().row["latency_p50_ms"])

    def profile(self, file: Path) -> list[float]:
        """Return the ms of each layer of a file; see `layer_ms`.

        Raises:
            ModelFileError: It does not run.
            PlaceError: The place fails.
        """
        job, _ = self._job(file)
        with tempfile.TemporaryDirectory() as folder:
            path = str(Path(folder, "operations.zip"))
            image = job.raw_images()[:1]
            archive: Archive = isolation.call(
                "benchmark.profile.archive.write_archive", str(file), image, path, file=file
            )
            # The roofline, which needs peaks and copies, is left out.
            options = ProfileOptions(path, archive.names, [], self._num_threads, _PROFILE_SECS, [])
            times = self._place.profile(job, options)
        own_ms = [max(ms - times.call_ms, 0.0) for ms in times.operations_ms]
        return layer_ms([operator.macs for operator in archive.operators], own_ms)

    def _job(self, file: Path) -> tuple[Job, digest.Reference]:
        """Return the measurement of a file, and what it computes on this machine."""
        if file not in self._known:
            with reference(file, self._inputs, _OPTIONS) as (_, job, expected):
                self._known[file] = replace(job, num_threads=self._num_threads), expected
        return self._known[file]


def layer_ms(macs: Sequence[int], ms: Sequence[float]) -> list[float]:
    """Add up the ms of each layer and of the operations after it, up to the next one.

    Args:
        macs: Multiply-adds of each operation; layers are those with some.
        ms: Latency of each operation. Those before the first layer belong to it.
    """
    found = [0.0]
    for index, each in enumerate(macs):
        if each and any(macs[:index]):
            found.append(0.0)
        found[-1] += ms[index]
    return found
