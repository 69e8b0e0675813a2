from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.data.datasets import Dataset
from cnn_keras.data.loading.decoded_cache import cache_file, new_cache
from cnn_keras.data.loading.first_pass import FirstPass, first_pass, with_cache
from cnn_keras.data.loading.image_files import FileSplit
from cnn_keras.data.loading.shuffled import shuffled_batches
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.errors import Error
from tests.fixtures.image_folders import write

SHAPE = (24, 20, 3)


def read_all(dataset: Dataset, cache: Path, skip_broken: bool = False) -> FirstPass:
    return first_pass(dataset.splits, SHAPE, digests=True, skip_broken=skip_broken, cache=cache)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return datasets.load(f"folder:{write(tmp_path / 'digits', count=20)}", shape=SHAPE)


def cached(dataset: Dataset, cache: Path) -> Dataset:
    return dataset.with_splits(with_cache(dataset.splits, cache))


def files_of(split: object) -> FileSplit:
    assert isinstance(split, FileSplit)
    return split


def test_images_are_read_from_the_cache(dataset: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert files_of(cached(dataset, cache).train).cache is None
    found = read_all(dataset, cache)
    assert len(list(cache.iterdir())) == 1
    expected = {name: split.read() for name, split in dataset.splits.items()}
    batches = list(shuffled_batches(files_of(dataset.train), 20, 2, 0))
    again = cached(dataset, cache)
    for path in (tmp_path / "digits").rglob("*.*"):  # of the same size and time: not read again
        time = path.stat().st_mtime_ns
        path.write_bytes(bytes(path.stat().st_size))
        os.utime(path, ns=(time, time))
    for name, pixels in expected.items():
        split = files_of(again.split(name))
        np.testing.assert_array_equal(split.read(), pixels)
        sample = split.sample(5)
        indices = [split.paths.index(path) for path in sample.paths]
        np.testing.assert_array_equal(sample.read(), pixels[indices])
    assert read_all(again, cache) == found
    for workers in (0, 1):
        from_cache = shuffled_batches(files_of(again.train), 20, 2, 0, workers=workers)
        for batch, other in zip(batches, from_cache, strict=True):
            np.testing.assert_array_equal(batch.images, other.images)
    other_size = Preprocessing(8, 8, 3, (0.0,) * 3, (1.0,) * 3)
    with pytest.raises(Error, match=r"^42 of 42 images cannot be read"):
        again.train.resized(other_size).read()  # the cache has another size


def test_crops_are_read_from_the_files(dataset: Dataset, tmp_path: Path) -> None:
    read_all(dataset, tmp_path / "cache")
    train = files_of(cached(dataset, tmp_path / "cache").train)
    found = [
        next(shuffled_batches(split, 20, 1, 0, crop=lambda size, random: (0, 0, 9, 9)))
        for split in (train, files_of(dataset.train))
    ]
    np.testing.assert_array_equal(found[0].images, found[1].images)
    assert not np.array_equal(found[0].images, next(shuffled_batches(train, 20, 1, 0)).images)


def test_another_content_has_another_cache(dataset: Dataset, tmp_path: Path) -> None:
    paths = files_of(dataset.train).paths
    before = cache_file(tmp_path, paths, SHAPE)
    assert cache_file(tmp_path, paths, SHAPE) == before
    assert cache_file(tmp_path, paths, (24, 20, 1)) != before
    assert cache_file(tmp_path, paths[:-1], SHAPE) != before
    os.utime(paths[0], ns=(0, 0))
    assert cache_file(tmp_path, paths, SHAPE) != before


def test_the_cache_has_no_broken_files(dataset: Dataset, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    path = Path(files_of(dataset.train).paths[3])
    path.write_bytes(b"")
    with pytest.raises(Error, match="is not an image"):
        read_all(dataset, cache)
    assert list(cache.iterdir()) == []
    skipped = read_all(dataset, cache, skip_broken=True)
    assert list(skipped.broken) == [str(path)]
    kept = dataset.without([dataset.relative_path(str(path))])
    again = cached(kept, cache)
    for name, split in kept.splits.items():
        assert files_of(again.split(name)).cache is not None
        np.testing.assert_array_equal(again.split(name).read(), split.read())
    with pytest.raises(Error, match="is not an image"):  # still an error without the option
        read_all(cached(dataset, cache), cache)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    def write_to_a_full_disk() -> None:
        with new_cache(tmp_path) as cache:
            cache.write(np.zeros((1, 2, 2, 1), np.uint8))
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        write_to_a_full_disk()
    assert caught.value.filename == tmp_path
    assert list(tmp_path.iterdir()) == []
