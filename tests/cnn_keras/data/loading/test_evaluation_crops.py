from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data.loading.evaluation_crops import image_crops
from cnn_keras.data.loading.image_files import AnySplit, FileSplit
from cnn_keras.data.preprocessing import Preprocessing
from cnn_keras.data.splits import Split
from cnn_keras.errors import Error

Pixels = np.ndarray[Any, Any]

COUNT = 7


def preprocessing(channels: int) -> Preprocessing:
    return Preprocessing(28, 28, channels, (0.0,) * channels, (1.0,) * channels)


@pytest.fixture(scope="module", params=["rgb", "gray", "files"])
def splits(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[AnySplit, Pixels]:
    """A split of images of 54×36 pixels, and these pixels."""
    channels = 1 if request.param == "gray" else 3
    images = np.random.default_rng(0).integers(0, 256, (COUNT, 36, 54, channels), np.uint8)
    labels = np.zeros(COUNT, np.int64)
    if request.param != "files":
        return Split(images, labels), images
    folder = tmp_path_factory.mktemp("images")
    for index, pixels in enumerate(images):
        Image.fromarray(pixels).save(folder / f"{index}.png")
    paths = tuple(str(folder / f"{index}.png") for index in range(COUNT))
    return FileSplit(paths, labels, (28, 28, 3)), images


def reference(pixels: Pixels) -> list[Pixels]:
    """Return the ten crops: the central one, those of the corners, and all of them mirrored."""
    image = Image.fromarray(pixels.squeeze())
    rescaled = np.asarray(image.resize((48, 32), Image.Resampling.BILINEAR), np.int64)
    square = rescaled.reshape(32, 48, -1)[:, 8:40]
    corners = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]
    crops = [square[top : top + 28, left : left + 28] for top, left in corners]
    return crops + [crop[:, ::-1] for crop in crops]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_ten_crops_are_cut_out_of_the_rescaled_image(
    splits: tuple[AnySplit, Pixels], size: int
) -> None:
    split, images = splits
    parts = list(image_crops(split, preprocessing(images.shape[-1]), 10, size))
    assert [len(part) for part in parts][:-1] == [size] * (len(parts) - 1)
    for crops, pixels in zip(np.concatenate(parts), images, strict=True):
        assert np.abs(crops - np.stack(reference(pixels))).max() <= 1  # rounding


def test_one_crop_is_the_central_of_the_ten(splits: tuple[AnySplit, Pixels]) -> None:
    split, images = splits
    (ten,) = image_crops(split, preprocessing(images.shape[-1]), 10, COUNT)
    (one,) = image_crops(split, preprocessing(images.shape[-1]), 1, COUNT)
    np.testing.assert_array_equal(one, ten[:, :1])


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no image")
    split = FileSplit((str(tmp_path / "broken.png"),), np.zeros(1, np.int64), (28, 28, 3))
    with pytest.raises(Error, match=r"broken\.png is not an image"):
        list(image_crops(split, preprocessing(3), 10, 4))
