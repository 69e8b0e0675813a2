from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data import datasets, image_folder
from cnn_keras.data.loading import image_files
from cnn_keras.data.loading.image_files import PART, FileSplit, decode, read_images
from cnn_keras.data.preprocessing import Preprocessing, open_image
from cnn_keras.errors import Error
from tests.fixtures.image_folders import HEIC, write

SHAPE = (32, 32, 1)
UNNORMALIZED = Preprocessing(*SHAPE, (0.0,), (1.0,))


@pytest.fixture(scope="module")
def split(tmp_path_factory: pytest.TempPathFactory) -> FileSplit:
    """33 images in three formats."""
    folder = write(tmp_path_factory.mktemp("files") / "digits", count=20)
    split = datasets.load(f"folder:{folder}", shape=SHAPE).train
    assert isinstance(split, FileSplit)
    return split.take(np.arange(PART * 2 + 1))


def test_images_are_decoded_as_predict_decodes_them(tmp_path: Path) -> None:
    folder = write(tmp_path / "digits", count=20)
    turned = Image.Exif()
    turned[0x0112] = 6
    with Image.open(folder / "one" / "001.JPG") as image:
        image.save(folder / "one" / "001.JPG", exif=turned)
    paths = image_folder.list_images(folder).paths
    for path, pixels in zip(paths, read_images(paths, SHAPE), strict=True):
        np.testing.assert_array_equal(pixels, UNNORMALIZED.pixels(open_image(path)))
    assert {open_image(path).format for path in paths} == {"PNG", "JPEG", "WEBP"}


@pytest.mark.parametrize("size", [1, 5, PART, PART + 3, 100])
def test_chunks_are_all_images_in_order(size: int, split: FileSplit) -> None:
    chunks = list(split.chunks(size))
    assert [len(chunk) for chunk in chunks[:-1]] == [size] * (len(chunks) - 1)
    assert 0 < len(chunks[-1]) <= size
    expected = [UNNORMALIZED.pixels(open_image(Path(path))) for path in split.paths]
    np.testing.assert_array_equal(np.concatenate(chunks), expected)
    np.testing.assert_array_equal(split.read(), expected)


def test_a_sample_is_taken_before_it_is_read(split: FileSplit) -> None:
    sample = split.sample(9)
    shares = np.bincount(split.labels) * 9 / len(split.labels)
    assert abs(np.bincount(sample.labels) - shares).max() < 1
    indices = [split.paths.index(path) for path in sample.paths]
    np.testing.assert_array_equal(sample.labels, split.labels[indices])
    np.testing.assert_array_equal(sample.read(), split.read()[indices])


def test_a_split_is_read_in_the_size_of_a_network(split: FileSplit) -> None:
    preprocessing = Preprocessing(20, 24, 3, (0.0,) * 3, (1.0,) * 3)
    assert split.resized(preprocessing).read().shape == (len(split.labels), 20, 24, 3)


def test_a_box_chooses_the_part_of_an_image(split: FileSplit) -> None:
    box = (3.5, 2.0, 21.0, 30.0)
    sizes = []

    def choose_box(size: tuple[int, int]) -> tuple[float, float, float, float]:
        sizes.append(size)
        return box

    found = decode(split.paths[:2], SHAPE, [choose_box, choose_box])
    for path, size, pixels in zip(split.paths, sizes, found.images, strict=False):
        image = open_image(Path(path)).convert("L")
        assert size == image.size
        image = image.resize((32, 32), Image.Resampling.BILINEAR, box)
        np.testing.assert_array_equal(pixels[..., 0], image)


def test_one_error_names_the_broken_files_of_a_split(split: FileSplit, tmp_path: Path) -> None:
    paths = [*split.paths, *(str(tmp_path / name) for name in ("a.png", "b.png"))]
    Path(paths[-2]).touch()
    broken = FileSplit(tuple(paths[-2:] + paths), np.zeros(len(paths) + 2, np.int64), SHAPE)
    with pytest.raises(Error, match=r"^2 of 37 images cannot be read: in .*, a\.png, b\.png\."):
        broken.read()
    chunks = broken.take(np.arange(2, 37)).chunks(8)
    assert sum(map(len, (next(chunks) for _ in range(4)))) == 32
    with pytest.raises(Error, match=r"^2 of 35 images cannot be read"):
        next(chunks)


def test_images_in_formats_of_phones_are_counted_by_format(tmp_path: Path) -> None:
    paths = [tmp_path / f"{place}.jpg" for place in range(5)]
    for path in paths[:3]:
        path.write_bytes(HEIC)
    paths[3].write_text("not an image")
    Image.new("L", (8, 8)).save(paths[4])
    with pytest.raises(Error, match=r"^4 of 5 .* Repair or delete them\. 3 are in HEIC: convert"):
        read_images(paths, (8, 8, 1))


@pytest.mark.parametrize("values", [np.nan, np.inf, -np.inf, 2.0, 200.0, -1.0])
def test_floats_outside_0_to_1_are_refused_by_file(values: float, tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), np.float32)
    pixels[2, 3] = values
    path = tmp_path / "odd.tif"
    Image.fromarray(pixels).save(path)
    with pytest.raises(Error) as caught:
        read_images([path], (8, 8, 1))
    assert str(caught.value).startswith(f"{path} cannot be read as an image: ")
    assert ("1 of its 64 pixels" in str(caught.value)) == (not np.isfinite(values))
    assert "\n" not in str(caught.value)


def test_one_line_names_large_images_instead_of_pillow_s_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a.png", "b.png"):
        Image.new("L", (40, 30)).save(tmp_path / name)
    Image.new("L", (10, 10)).save(tmp_path / "c.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000)
    monkeypatch.setattr(image_files, "MAX_PIXELS", 1_000)
    paths = sorted(tmp_path.iterdir())
    assert read_images(paths, (8, 8, 1)).shape == (3, 8, 8, 1)  # warnings would be errors
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        f"2 of 3 images have more than 0 megapixels, for example {paths[0]} with 40×30: "
    )
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)
    with pytest.raises(Error, match=r"^2 of 3 images cannot be read: in .*, a\.png, b\.png\."):
        read_images(paths, (8, 8, 1))


def test_larger_images_than_those_of_a_data_set_are_broken(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("large.png", "small.png")]
    for name, width in zip(names, (41, 40), strict=True):
        Image.new("L", (width, 30)).save(name)
    found = decode(names, (8, 8, 1), max_pixels=40 * 30)
    assert found.images.shape == (1, 8, 8, 1)
    assert list(found.broken) == names[:1]
    assert "large.png has 41×30 pixels, and a data set takes" in str(found.broken[names[0]])
