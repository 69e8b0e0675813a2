from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.loading.image_files import FileSplit
from cnn_keras.data.loading.parallel import close_all
from cnn_keras.data.loading.share import WHOLE, Share
from cnn_keras.data.loading.shuffled import Batch, Crop, shuffled_batches
from cnn_keras.data.preprocessing import Box
from cnn_keras.errors import Error
from tests.fixtures.image_folders import write

SHAPE = (16, 16, 1)
BATCH, EPOCHS, SEED = 20, 3, 7


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> FileSplit:
    """42 images: an epoch has two batches of 20, each of which is decoded in two parts."""
    folder = write(tmp_path_factory.mktemp("files") / "digits", count=20)
    split = datasets.load(f"folder:{folder}", shape=SHAPE).train
    assert isinstance(split, FileSplit)
    return split


class RandomCrop:
    """A part of random size at a random place."""

    def __call__(self, size: tuple[int, int], random: np.random.Generator) -> Box:
        left, top, right, bottom = random.random(4)
        width, height = size
        return left * width / 2, top * height / 2, width - right, height - bottom


def batches(
    split: FileSplit,
    size: int = BATCH,
    seed: int = SEED,
    first: int = 0,
    workers: int = 0,
    share: Share = WHOLE,
) -> list[Batch]:
    crop: Crop = RandomCrop()
    found = shuffled_batches(
        split, size, EPOCHS, seed, first, crop=crop, workers=workers, share=share
    )
    return list(found)


def require_equal(found: list[Batch], expected: list[Batch]) -> None:
    assert len(found) == len(expected)
    for first, second in zip(found, expected, strict=True):
        for one, other in zip(first, second, strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_image_is_drawn_once_an_epoch_in_another_order(split: FileSplit) -> None:
    found = batches(split, size=21)
    assert [len(batch.labels) for batch in found] == [21] * 6
    samples = np.concatenate([batch.samples for batch in found])
    assert sorted(samples.tolist()) == list(range(3 * 42))
    orders = {tuple(samples[start : start + 42] % 42) for start in (0, 42, 84)}
    assert len(orders) == 3
    for batch in found:
        np.testing.assert_array_equal(batch.labels, split.labels[batch.samples % 42])


def test_images_are_cropped_at_the_center_by_default(split: FileSplit) -> None:
    images = split.read()
    for batch in shuffled_batches(split, BATCH, 1, SEED):
        np.testing.assert_array_equal(batch.images, images[batch.samples])


@pytest.mark.parametrize("workers", [1, 2])
def test_worker_processes_change_nothing(workers: int, split: FileSplit) -> None:
    require_equal(batches(split, workers=workers), batches(split))


@pytest.mark.parametrize("first", [1, 2, 5])
def test_batches_are_the_same_from_any_step_on(first: int, split: FileSplit) -> None:
    require_equal(batches(split, first=first), batches(split)[first:])


def test_an_image_depends_on_seed_epoch_and_index_alone(split: FileSplit) -> None:
    def by_sample(found: list[Batch]) -> dict[int, bytes]:
        return {
            int(sample): pixels.tobytes()
            for batch in found
            for sample, pixels in zip(batch.samples, batch.images, strict=True)
        }

    small, large = by_sample(batches(split, size=6)), by_sample(batches(split, size=42))
    assert small == large
    other = by_sample(batches(split, size=6, seed=8))
    assert not any(small[sample] == other[sample] for sample in small)
    assert not any(small[sample] == small[sample + 42] for sample in range(42))


def test_batches_end_when_their_elements_are_closed(split: FileSplit) -> None:
    found = shuffled_batches(split, BATCH, EPOCHS, SEED)
    next(found)
    close_all()
    assert list(found) == []


def test_the_broken_file_is_named(split: FileSplit, tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    path.write_text("not an image")
    broken = split._replace(paths=(*split.paths[:-1], str(path)))
    for workers in (0, 1):
        with pytest.raises(Error, match=f"^{path} is not an image that Pillow can read"):
            batches(broken, size=21, workers=workers)


def test_processes_load_the_images_of_one_process_each_once(split: FileSplit) -> None:
    parts = [batches(split, size=42, share=Share(process, 2)) for process in range(2)]
    joined = [
        Batch(*(np.concatenate(arrays) for arrays in zip(*pair, strict=True)))
        for pair in zip(*parts, strict=True)
    ]
    require_equal(joined, batches(split, size=42))
    assert all(len(set(batch.samples.tolist())) == 42 for batch in joined)
