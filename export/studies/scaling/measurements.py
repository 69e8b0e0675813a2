"""What the simulation takes from this machine: decoding of images, checkpoints, transfers."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cnn_keras.command import start_keras
from cnn_keras.inspection import anatomy
from cnn_keras.zoo import build, network

from ..speed.loader import PipelineProcess, write_jpegs
from ..speed.passes import BATCH
from .simulation import Layer

MIN_IMAGES = BATCH


class Checkpoint(NamedTuple):
    """A checkpoint of a training with momentum.

    Attributes:
        num_bytes: Its size.
        seconds: In which it is written.
    """

    num_bytes: int
    seconds: float


def layers(name: str) -> list[Layer]:
    """Return the layers of a network of the zoo."""
    start_keras()
    model = anatomy.build_uninitialized(lambda: build(name))
    return [Layer(row.macs, row.parameters) for row in anatomy.layer_rows(model)]


def decoded_per_core_s(images: int, passes: int) -> float:
    """Return how many JPEG files of about 500×400 pixels a core decodes and resizes in a second.

    Args:
        images: Number of files, `MIN_IMAGES` or more.
        passes: Passes over them; the median counts.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_jpegs(folder / "images", images)
        with (
            _one_core(),
            PipelineProcess("threads", folder / "images", folder / "first.npy", None) as process,
        ):
            return statistics.median(process.images_per_second() for _ in range(passes))


def checkpoint(name: str, repetitions: int) -> Checkpoint:
    """Write checkpoints of a network as a training does, and return the median.

    Args:
        name: A network of the zoo.
        repetitions: How many are written.
    """
    start_keras()
    from cnn_keras.training.checkpoints.checkpoint import Progress, save_checkpoint
    from cnn_keras.training.optimization.compile import compile_model
    from cnn_keras.training.recipes import recipe
    from cnn_keras.training.run_folder import Run

    row = network(name)
    model = build(name)
    compile_model(model, recipe(row.recipe, image_files=True), 1, row.loss_weights)
    model.optimizer.build(model.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        seconds = []
        for _ in range(repetitions):
            start = time.perf_counter()
            save_checkpoint(Run(Path(folder)), model, Progress(1))
            seconds.append(time.perf_counter() - start)
        return Checkpoint(Path(folder, "last.keras").stat().st_size, float(np.median(seconds)))


@contextmanager
def _one_core() -> Iterator[None]:
    """Let processes that are started here use one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:1])
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
