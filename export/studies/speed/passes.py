"""Passes over image files by an input pipeline, in a subprocess and in turns with others.

The subprocess may be a Python that has torch but not this project's dependencies.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...worker import Session

SIDE = 224
BATCH = 32
WORKERS = 2
WARM_UP_BATCHES = 10


class Pipeline(NamedTuple):
    """An input pipeline over a folder of JPEG files, with a sub-folder for each class.

    Attributes:
        start: Starts a shuffled pass over all files, and returns the images of each batch.
        first: Returns the first `BATCH` images in the order of `jpeg_files`,
            `(batch, height, width, channels)`.
        version: Name and version of its library.
    """

    start: Callable[[], Iterable[Sized]]
    first: Callable[[], NDArray[Any]]
    version: tuple[str, str]


def jpeg_files(folder: Path) -> tuple[list[str], list[int]]:
    """Return the paths of the files, sorted by class and name, and their class indices."""
    paths = sorted(folder.glob("*/*.jpg"))
    names = sorted({path.parent.name for path in paths})
    return [str(path) for path in paths], [names.index(path.parent.name) for path in paths]


def answer_passes(pipelines: dict[str, Callable[[Path], Pipeline]]) -> Session:
    """Return the session of a subprocess that makes a pass whenever it is asked to.

    The first request is the name of a pipeline, the folder of the files, and a file to which the
    first images are saved as an array. It is answered with the version, the others with the images
    per second of a pass.
    """

    def session(requests: Iterator[Any], answer: Callable[[object], None]) -> None:
        name, folder, output = next(requests)
        pipeline = pipelines[name](Path(folder))
        np.save(output, np.asarray(pipeline.first(), np.float32))
        for _ in islice(pipeline.start(), WARM_UP_BATCHES):
            pass
        answer(pipeline.version)
        for _ in requests:
            count = 0
            start = end = time.perf_counter()
            for batch in pipeline.start():
                count += len(batch)
                # What follows the last batch is not timed: TensorFlow waits for a thread that tunes
                # the pipeline, up to as long as the pass took.
                end = time.perf_counter()
            answer(count / (end - start))

    return session
