from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data.augmentation.crops import (
    CROPS,
    AreaCrop,
    CropName,
    RandomCrop,
    RescaledCrop,
    evaluation_boxes,
)
from cnn_keras.data.preprocessing import Box

Pixels = np.ndarray[Any, Any]

ROUNDING = 1.001  # in pixel values: Pillow rounds after the rows and after the columns


def weights(old: int, new: int, start: float, stop: float) -> Pixels:
    """Return Pillow's antialiased bilinear filter `(new, old)` for pixels from start to stop."""
    scale = (stop - start) / new
    centers = start + (np.arange(new) + 0.5) * scale
    distances = np.abs(np.arange(old) + 0.5 - centers[:, None]) / max(scale, 1)
    rows = np.maximum(1 - distances, 0)
    return np.asarray(rows / rows.sum(axis=1, keepdims=True))


def resized(
    pixels: Pixels, width: int, height: int, box: tuple[float, float, float, float] | None = None
) -> Pixels:
    """Resize `(height, width, channels)` pixels, or a box of them."""
    old_height, old_width, _ = pixels.shape
    left, top, right, bottom = box or (0, 0, old_width, old_height)
    rows = weights(old_height, height, top, bottom)
    columns = weights(old_width, width, left, right)
    return np.einsum("yh,xw,hwc->yxc", rows, columns, pixels, optimize=True)


# Uniform numbers: the length of the shorter side, left and top.
FIXED = [(0.0, 0.0, 0.0), (0.999, 0.999, 0.999), (0.3, 0.7, 0.2), (0.6, 0.01, 0.5), (0.5, 0.5, 0.5)]


@pytest.fixture(scope="module")
def photograph() -> Image.Image:
    """Smooth noise of 360×240: with a shorter side of 32 to 64 its size is that of whole pixels."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)
    return Image.fromarray(noise).resize((360, 240), Image.Resampling.BICUBIC)


def assert_crop_equals(image: Image.Image, box: Box, expected: Pixels) -> None:
    height, width, _ = expected.shape
    found = np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box=box))
    assert np.abs(found - expected).max() <= ROUNDING


@pytest.mark.parametrize("numbers", FIXED)
@pytest.mark.parametrize(
    ("name", "shortest", "longest", "central"),
    [
        ("alexnet", 32, 32, True),
        ("vgg", 32, 64, False),
        ("vgg_256", 32, 32, False),
        ("vgg_384", 48, 48, False),
        ("resnet", 32, 60, False),
    ],
)
def test_a_rescaled_crop_is_cut_out_of_the_rescaled_image(
    photograph: Image.Image,
    name: CropName,
    shortest: int,
    longest: int,
    central: bool,
    numbers: tuple[float, float, float],
) -> None:
    """An input of 28 has an eighth of the papers' lengths."""
    u_side, u_left, u_top = numbers
    side = shortest + int(u_side * (longest - shortest + 1))
    if side % 2:  # the longer side of an image of 3:2 would not be that of whole pixels
        side -= 1
        u_side -= 1 / (longest - shortest + 1)
    pixels = resized(np.asarray(photograph), side * 3 // 2, side)
    if central:
        border = side // 4
        pixels = pixels[:, border : border + side]
    left = int(u_left * (pixels.shape[1] - 28 + 1))
    top = int(u_top * (pixels.shape[0] - 28 + 1))
    crop = CROPS[name]
    assert isinstance(crop, RescaledCrop)
    box = crop.box((u_side, u_left, u_top), photograph.size, (28, 28))
    assert_crop_equals(photograph, box, pixels[top : top + 28, left : left + 28])


def reference_area_crop(numbers: Pixels, width: int, height: int) -> Box:
    for u_area, u_ratio, u_left, u_top in numbers:
        area = np.interp(u_area, (0, 1), (0.08, 1)) * width * height
        ratio = math.exp(np.interp(u_ratio, (0, 1), (math.log(3 / 4), math.log(4 / 3))))
        w, h = math.sqrt(area * ratio), math.sqrt(area / ratio)
        if w <= width and h <= height:
            left, top = u_left * (width - w), u_top * (height - h)
            return left, top, left + w, top + h
    if width / height > 4 / 3:
        w, h = height * 4 / 3, float(height)
    elif width / height < 3 / 4:
        w, h = float(width), width * 4 / 3
    else:
        w, h = float(width), float(height)
    return (width - w) / 2, (height - h) / 2, (width + w) / 2, (height + h) / 2


def area_crop() -> AreaCrop:
    crop = CROPS["inception"]
    assert isinstance(crop, AreaCrop)
    return crop


@pytest.mark.parametrize("attempts", [1, 10])
@pytest.mark.parametrize("size", [(360, 240), (240, 360), (100, 100), (900, 100), (100, 900)])
def test_an_area_crop_equals_numpy(size: tuple[int, int], attempts: int) -> None:
    numbers = np.random.default_rng(0).random((100, attempts, 4))
    for row in numbers:
        box = area_crop().box(row.ravel().tolist(), size, (28, 28))
        np.testing.assert_allclose(box, reference_area_crop(row, *size), atol=1e-9)


def test_an_area_crop_is_resized_to_the_input(photograph: Image.Image) -> None:
    for row in np.random.default_rng(1).random((5, 10, 4)):
        box = area_crop().box(row.ravel().tolist(), photograph.size, (28, 28))
        expected = resized(np.asarray(photograph), 28, 28, reference_area_crop(row, 360, 240))
        assert_crop_equals(photograph, box, expected)


def test_2000_area_crops_have_the_areas_and_ratios_of_the_paper() -> None:
    crop, random = RandomCrop("inception", (32, 32)), np.random.default_rng(0)
    boxes = np.array([crop((600, 400), random) for _ in range(2_000)])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    areas, ratios = widths * heights / 240_000, np.log(widths / heights)
    assert 0.08 <= areas.min() < 0.09
    assert 0.85 < areas.max() <= 8 / 9 + 1e-9  # 4:3 in an image of 3:2
    assert ratios.min() == pytest.approx(math.log(3 / 4), abs=0.01)
    assert ratios.max() == pytest.approx(math.log(4 / 3), abs=0.01)
    small = areas < 0.4  # all of which fit
    assert abs(ratios[small].mean()) < 4 * ratios[small].std() / math.sqrt(small.sum())


@pytest.mark.parametrize("name", CROPS)
@pytest.mark.parametrize("size", [(28, 28), (1, 1), (31, 7), (333, 500), (4001, 13)])
@pytest.mark.parametrize("input_size", [(28, 28), (224, 224), (64, 32)])
def test_every_crop_lies_within_the_image(
    name: CropName, size: tuple[int, int], input_size: tuple[int, int]
) -> None:
    image, random = Image.new("L", size), np.random.default_rng(0)
    for _ in range(40):
        box = RandomCrop(name, input_size)(size, random)
        image.resize(input_size, Image.Resampling.BILINEAR, box=box)  # refuses other boxes
        width, height = box[2] - box[0], box[3] - box[1]
        if name != "inception":
            assert width / height == pytest.approx(input_size[0] / input_size[1])


def test_the_crops_of_an_evaluation_are_cut_out_of_the_central_square(
    photograph: Image.Image,
) -> None:
    pixels = resized(np.asarray(photograph), 48, 32)[:, 8:40]
    places = [(2, 2), (0, 0), (0, 4), (4, 0), (4, 4)]
    boxes = evaluation_boxes(photograph.size, (28, 28))
    for box, (top, left) in zip(boxes, places, strict=True):
        assert_crop_equals(photograph, box, pixels[top : top + 28, left : left + 28])


@pytest.mark.parametrize("size", [(28, 28), (1, 1), (333, 500), (4001, 13)])
def test_every_crop_of_an_evaluation_lies_within_the_image(size: tuple[int, int]) -> None:
    for box in evaluation_boxes(size, (224, 224)):
        Image.new("L", size).resize((224, 224), Image.Resampling.BILINEAR, box=box)
