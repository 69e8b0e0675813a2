from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from cnn_keras.data.preprocessing import Preprocessing, fit_preprocessing, open_image
from cnn_keras.errors import Error

GRAY = Preprocessing(32, 32, 1, (127.5,), (50.0,))
COLOR = Preprocessing(24, 32, 3, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def gradient(width: int, height: int) -> Image.Image:
    ramp = np.linspace(0, 255, width, dtype=np.uint8)
    return Image.fromarray(np.broadcast_to(ramp, (height, width)).copy())


def ftyp(major: bytes, other: bytes) -> bytes:
    """Return the first box of a file in ISO's base media format, and noise."""
    head = b"ftyp" + major + bytes(4) + major + other
    return (4 + len(head)).to_bytes(4) + head + np.random.default_rng(0).bytes(200)


def in_mode(image: Image.Image, mode: str) -> Image.Image:
    if mode != "LAB":
        return image.convert(mode)
    profiles = [ImageCms.createProfile(space) for space in ("sRGB", "LAB")]
    converted = ImageCms.profileToProfile(image, *profiles, outputMode="LAB")
    assert converted is not None
    return converted


def test_normalizes_by_channel() -> None:
    pixels = np.full((2, 24, 32, 3), 11, np.uint8)
    tensor = COLOR(pixels)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor[0, 0, 0], [10 / 4, 9 / 5, 8 / 6], rtol=1e-6)


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB"]
)
@pytest.mark.parametrize("preprocessing", [GRAY, COLOR], ids=["gray", "color"])
@pytest.mark.parametrize("size", [(1, 1), (4000, 50), (50, 4000), (31, 33)])
def test_takes_any_mode_and_size(
    mode: str, preprocessing: Preprocessing, size: tuple[int, int]
) -> None:
    pixels = preprocessing.pixels(in_mode(gradient(*size).convert("RGB"), mode))
    shape = (preprocessing.height, preprocessing.width, preprocessing.channels)
    assert pixels.shape == shape
    assert pixels.dtype == np.uint8


def test_sixteen_bits_and_floats_keep_their_brightness() -> None:
    eight = GRAY.pixels(gradient(64, 64)).astype(int)
    ramp = np.asarray(gradient(64, 64), np.float64)
    sixteen = Image.fromarray((ramp * 257).astype(np.uint16))
    unit = Image.fromarray((ramp / 255).astype(np.float32))
    for image in (sixteen, unit):
        assert abs(GRAY.pixels(image).astype(int) - eight).max() <= 1


@pytest.mark.parametrize(
    ("suffix", "dtype", "white"),
    [
        (".png", np.uint16, 65_535),
        (".tif", np.uint16, 65_535),
        (".tif", np.dtype(">u2"), 65_535),
        (".tif", np.int32, 65_535),
        (".tif", np.float32, 1),
    ],
)
@pytest.mark.parametrize("share", [1 / 400, 1 / 255, 0.2, 1])
def test_brightness_is_by_mode_and_not_by_the_brightest_pixel(
    suffix: str, dtype: type, white: int, share: float, tmp_path: Path
) -> None:
    path = tmp_path / f"deep{suffix}"
    Image.fromarray((np.full((8, 8), white) * share).astype(dtype)).save(path)
    assert set(np.unique(GRAY.pixels(open_image(path)))) == {round(255 * share)}


@pytest.mark.parametrize("value", [-500, 65_800, 2**31 - 1])
def test_integers_beyond_16_bits_are_refused(value: int, tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    Image.fromarray(np.full((8, 8), value, np.int32)).save(path)
    with pytest.raises(ValueError, match=re.escape(f"from {value:g} to {value:g}, and")):
        GRAY.pixels(open_image(path))


def test_transparent_pixels_are_black() -> None:
    image = Image.new("RGBA", (32, 32), (255, 255, 255, 0))
    assert GRAY.pixels(image).max() == 0


def test_the_orientation_tag_rotates_the_image(tmp_path: Path) -> None:
    upright = gradient(40, 40)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned 90 degrees clockwise
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif)
    turned = GRAY.pixels(open_image(tmp_path / "turned.png"))
    np.testing.assert_array_equal(turned, GRAY.pixels(upright))


@pytest.mark.parametrize("exif", [b"Exif\0\0junkjunk", b"Exif\0\0MM\0*", b"Exif\0\0"])
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_a_broken_orientation_tag_is_ignored(suffix: str, exif: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"broken.{suffix}"
    gradient(64, 64).save(path, exif=exif)
    assert GRAY.pixels(open_image(path)).shape == (32, 32, 1)


def test_crops_at_the_center_instead_of_squeezing() -> None:
    image = Image.new("L", (96, 32), 0)
    image.paste(255, (32, 0, 64, 32))
    assert GRAY.pixels(image).min() == 255


def test_round_trip_through_json() -> None:
    assert Preprocessing.from_dict(COLOR.to_dict()) == COLOR


@pytest.mark.parametrize("change", [{"mean": "x"}, {"height": None}, {"std": 3}])
def test_broken_preprocessing_is_reported(change: dict[str, object]) -> None:
    with pytest.raises(Error, match="The preprocessing cannot be read"):
        Preprocessing.from_dict(COLOR.to_dict() | change)


@pytest.mark.parametrize("brands", [b"heic mif1", b"mif1 heic", b"mif1 avif", b"avif mif1"])
@pytest.mark.parametrize("name", ["IMG_1.HEIC", "IMG_1.jpg"])
def test_formats_of_phones_are_named(name: str, brands: bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(ftyp(*brands.split()))
    kind = "AVIF" if b"avif" in brands else "HEIC"
    with pytest.raises(Error, match=rf"{name} is a {kind} image.*convert it to JPEG"):
        open_image(tmp_path / name)


def test_files_that_are_no_images(tmp_path: Path) -> None:
    (tmp_path / "video.png").write_bytes(ftyp(b"isom", b"mp42"))
    with pytest.raises(Error, match="not an image"):
        open_image(tmp_path / "video.png")
    (tmp_path / "text.png").write_text("not an image")
    with pytest.raises(Error, match="not an image"):
        open_image(tmp_path / "text.png")
    with pytest.raises(Error, match="No such image"):
        open_image(tmp_path / "missing.png")
    gradient(300, 300).convert("RGB").save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Error, match="cannot be read as an image"):
        open_image(tmp_path / "half.jpg")
    with pytest.raises(Error, match="cannot be read as an image"):
        open_image(tmp_path)


def test_a_channel_may_be_constant() -> None:
    images = np.zeros((4, 8, 8, 3), np.uint8)
    images[:2, ..., 0] = 200
    images[..., 1] = 77
    found = fit_preprocessing(images, (8, 8, 3))
    assert found.mean == (100.0, 77.0, 0.0)
    assert found.std == (100.0, 1.0, 1.0)


def test_statistics_are_those_of_the_input_channels() -> None:
    gray = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    found = fit_preprocessing(gray, (8, 8, 3))
    np.testing.assert_allclose(found.mean, np.full(3, gray.mean()), atol=1e-3)
    np.testing.assert_allclose(found.std, np.full(3, gray.std()), atol=1e-3)
