from __future__ import annotations

import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data.loading.first_pass import first_pass
from cnn_keras.data.loading.image_files import FileSplit
from cnn_keras.data.loading.shuffled import shuffled_batches

from .__main__ import accept
from .memory import BATCH, SIDE
from .scenes import compose

SHAPE = (SIDE, SIDE, 3)
COUNT = 20 * BATCH  # 96 MB of pixels


@pytest.fixture
def two_cores() -> Iterator[None]:
    """Each core has a thread that decodes images in advance."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(cores)[:2])
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.usefixtures("two_cores")
def test_the_images_of_a_split_are_never_all_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "scene.jpg"
    compose("china", np.random.default_rng(0)).save(path)
    split = FileSplit(COUNT * (str(path),), np.arange(COUNT) % 2, SHAPE)
    tracemalloc.start()  # also of the arrays of numpy
    try:
        first_pass({"train": split}, SHAPE, digests=False)
        assert sum(map(len, split.chunks(BATCH))) == COUNT
        batches = shuffled_batches(split, BATCH, epochs=1, seed=0)
        assert sum(len(batch.images) for batch in batches) == COUNT
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 5e6 < peak < 0.4 * COUNT * np.prod(SHAPE)


@pytest.mark.slow
@pytest.mark.parametrize("count", [5_000, 20_000])
def test_data_sets_of_users_are_checked_and_streamed(count: int, tmp_path: Path) -> None:
    assert accept(count, tmp_path)
