"""Images that a file is timed on."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cnn_keras.command import log
from cnn_keras.errors import Error

from ..provenance import find_run

NUM_IMAGES = 32
"""Images whose outputs are compared with those of other places, and that a file is timed on."""


class Inputs(NamedTuple):
    """The images of a measurement.

    Attributes:
        path: Path of an `.npy` file with preprocessed images `(n, height, width, channels)` in
            float32, at most `NUM_IMAGES`; None for noise.
        kind: What they are: ``"validation"``, ``"photographs"`` or ``"random"``.
    """

    path: Path | None
    kind: str


NOISE = Inputs(None, "random")


@contextmanager
def saved_inputs(file: Path, run: Path | None, data_dir: Path | None) -> Iterator[Inputs]:
    """Save the images for a file where its process can map them.

    Args:
        file: The `.tflite` file.
        run: The run whose images are used; by default the one that `export.json` names. If the
            images of that one are not available, a line on stderr says so.
        data_dir: Folder in which the data set is looked for first.

    Yields:
        The images, which are deleted in the end, or noise.

    Raises:
        Error: `run` is not a run, or its data set is not available.
    """
    images = _images(file, run, data_dir)
    if images is None:
        yield NOISE
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        np.save(path, images)
        yield Inputs(path, "validation")


def _images(file: Path, run: Path | None, data_dir: Path | None) -> NDArray[np.float32] | None:
    if run:
        return validation_images(run, data_dir)
    run = find_run(file)
    if run is None:
        return None
    try:
        return validation_images(run, data_dir)
    except (Error, ImportError, OSError) as error:
        log(f"{file} is timed on noise; the images of its run are not available: {error}")
        return None


@cache  # the files of one run are measured one after the other
def validation_images(run_path: Path, data_dir: Path | None = None) -> NDArray[np.float32]:
    """Return preprocessed validation images of a run, at most `NUM_IMAGES`, their classes mixed.

    Raises:
        Error: The folder is not a run, or its data set is not available.
    """
    from cnn_keras.data.splits import SPLIT_SEED
    from cnn_keras.training.run_folder import Run

    run = Run.open(run_path)
    images = run.raw_dataset(data_dir).validation.sample(NUM_IMAGES).read()
    # The sample is in order of class, and timing a slow network may end before the last image.
    images = np.random.default_rng(SPLIT_SEED).permutation(images)
    return run.preprocessing(run.preprocessing.resize(images))
