from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from export.studies.speed.loader import write_jpegs
from export.studies.speed.passes import BATCH, SIDE, jpeg_files
from export.studies.speed.pipelines import PIPELINES


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("jpegs") / "images"
    write_jpegs(path, 2 * BATCH + 4)
    return path


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    return PIPELINES["threads"](folder).first().astype(float)


# Root mean square of the difference to the pixels of Pillow, in gray levels. JPEG decoders differ.
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("threads", 0, 0),
        ("training", 0, 0),
        ("tf_data", 0, 2),
        ("keras", 2, 5),
        ("tf_data_unfiltered", 5, 10),
        ("keras_unfiltered", 5, 10),
    ],
)
def test_a_pass_has_all_full_batches_of_its_filter(
    name: str, low: float, high: float, folder: Path, expected: np.ndarray
) -> None:
    pipeline = PIPELINES[name](folder)
    difference = np.sqrt(np.mean((pipeline.first() - expected) ** 2))
    assert low <= difference <= high
    for _ in range(2):
        batches = [np.asarray(images) for images in pipeline.start()]
        assert sum(map(len, batches)) >= 2 * BATCH
        assert batches[0].shape == (BATCH, SIDE, SIDE, 3)


def test_the_files_are_of_two_classes(folder: Path) -> None:
    paths, labels = jpeg_files(folder)
    assert len(paths) == 2 * BATCH + 4
    assert np.bincount(labels).tolist() == [BATCH + 2, BATCH + 2]
