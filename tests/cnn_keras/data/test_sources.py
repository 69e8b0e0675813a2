from __future__ import annotations

import gzip
import pickle
import struct
from pathlib import Path

import numpy as np
import pytest

from cnn_keras.data import datasets
from cnn_keras.errors import Error

DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder; no cache of Keras, and no network: the proxy refuses at once."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path


def arrays(count: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(count)
    images = generator.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    return images, (np.arange(count) % 10).astype(np.uint8)


def idx(values: np.ndarray) -> bytes:
    return struct.pack(f">I{values.ndim}I", 0x800 + values.ndim, *values.shape) + values.tobytes()


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fashion_mnist_is_found_in_debian_s_package(nowhere: Path) -> None:
    fashion = datasets.load("fashion_mnist")
    counts = [len(split.labels) for split in (fashion.train, fashion.validation, fashion.test)]
    assert counts == [55_000, 5_000, 10_000]
    assert fashion.train.images.shape[1:] == (28, 28, 1)
    assert (np.bincount(fashion.validation.labels) == 500).all()


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_found_in_the_data_folder(nowhere: Path, packed: bool) -> None:
    folder = nowhere / "mnist"
    folder.mkdir()
    for part, count in (("train", 6_000), ("t10k", 100)):
        for kind, values in zip(("images-idx3", "labels-idx1"), arrays(count), strict=True):
            content = idx(values)
            name = f"{part}-{kind}-ubyte" + (".gz" if packed else "")
            (folder / name).write_bytes(gzip.compress(content, 1) if packed else content)
    mnist = datasets.load("mnist", nowhere)
    assert len(mnist.validation.labels) == 5_000
    np.testing.assert_array_equal(mnist.test.images[..., 0], arrays(100)[0])


def test_cifar_batches_are_read(nowhere: Path) -> None:
    folder = nowhere / "cifar-10-batches-py"
    folder.mkdir()
    images = np.random.default_rng(0).integers(0, 256, (1_100, 32, 32, 3), dtype=np.uint8)
    for name in [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]:
        batch = {
            b"data": images.transpose(0, 3, 1, 2).reshape(-1, 3_072),
            b"labels": [i % 10 for i in range(1_100)],
        }
        (folder / name).write_bytes(pickle.dumps(batch))
    cifar = datasets.load("cifar10", nowhere)
    np.testing.assert_array_equal(cifar.test.images, images)
    assert cifar.classes[3] == "cat"


def test_a_pickle_that_runs_code_is_refused(nowhere: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return print, ("gotcha",)

    folder = nowhere / "cifar-10-batches-py"
    folder.mkdir()
    (folder / "data_batch_1").write_bytes(pickle.dumps({b"data": Evil()}))
    with pytest.raises(Error, match="not only arrays"):
        datasets.load("cifar10", nowhere)


def write_npz(folder: Path, **changes: np.ndarray) -> None:
    (x, y), (x_test, y_test) = arrays(6_000), arrays(100)
    content = {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test} | changes
    np.savez(folder / "mnist.npz", **content)


def test_data_with_nan_is_refused(nowhere: Path) -> None:
    images = arrays(6_000)[0].astype(np.float32)
    images[0, 0, :3] = np.nan
    write_npz(nowhere, x_train=images)
    with pytest.raises(Error, match="3 pixels are NaN"):
        datasets.load("mnist", nowhere)


def test_labels_that_do_not_match_the_images_are_refused(nowhere: Path) -> None:
    write_npz(nowhere, y_train=np.zeros(10, np.uint8))
    with pytest.raises(Error, match="6000 images but 10 labels"):
        datasets.load("mnist", nowhere)
    write_npz(nowhere, y_train=np.full(6_000, 10, np.uint8))
    with pytest.raises(Error, match="labels outside 0 to 9"):
        datasets.load("mnist", nowhere)


def test_truncated_files_are_reported(nowhere: Path) -> None:
    (nowhere / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(arrays(100)[0]))[:99])
    with pytest.raises(Error, match="cannot be read") as caught:
        datasets.load("mnist", nowhere)
    assert str(nowhere) in str(caught.value)


def test_an_error_names_the_searched_folders(nowhere: Path) -> None:
    with pytest.raises(Error) as caught:
        datasets.load("cifar10", nowhere / "data")
    message = str(caught.value)
    assert str(nowhere / "data" / "cifar-10-batches-py") in message
    assert str(nowhere / "keras") in message
    assert "the download failed" in message
    assert "\n" not in message
