from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cnn_keras.data.check.facts import Facts, measure
from cnn_keras.data.check.samples import Sample
from cnn_keras.data.preprocessing import open_image
from tests.fixtures.image_folders import write_photographs


def sample(image: Image.Image) -> Sample:
    return Sample("image", "train", 0, lambda: image)


def facts_of(*images: Image.Image) -> Facts:
    return measure([sample(image) for image in images])


@pytest.fixture
def photograph(tmp_path: Path) -> Image.Image:
    return open_image(write_photographs(tmp_path / "all", 2)[1])


def test_facts_of_files(tmp_path: Path) -> None:
    paths = write_photographs(tmp_path / "all")
    facts = measure([Sample(path.name, "train", 0, partial(open_image, path)) for path in paths])
    assert facts.sizes.tolist() == [[96, 72]] * 30
    assert facts.errors == {}
    assert len(np.unique(facts.digests)) == 30
    modes = {mode.replace(";", "") for mode in facts.modes.tolist()}
    assert modes == {path.stem.partition("_")[2] for path in paths}
    grays = [path.stem.partition("_")[2] in ("L", "LA", "I16") for path in paths]
    assert facts.gray.tolist() == grays
    assert facts.readable.tolist() == list(range(30))


def test_equal_pixels_have_equal_digests(photograph: Image.Image) -> None:
    gray = photograph.convert("L")
    transparent = photograph.convert("RGBA")
    facts = facts_of(photograph, transparent, gray, gray.convert("RGB"), gray.convert("LA"))
    digests = facts.digests.tolist()
    assert digests[0] == digests[1] != digests[2]
    assert digests[2] == digests[3] == digests[4]
    assert facts.gray.tolist() == [False, False, True, True, True]


def test_other_shapes_of_the_same_pixels_have_other_digests() -> None:
    black = [Image.new("L", size) for size in ((8, 2), (2, 8), (4, 4))]
    assert len(set(facts_of(*black).digests.tolist())) == 3


def test_one_changed_pixel_changes_the_digest(photograph: Image.Image) -> None:
    changed = photograph.copy()
    red, green, blue = changed.getpixel((5, 5))  # type: ignore[misc]
    changed.putpixel((5, 5), (red, green, blue ^ 1))
    first, second = facts_of(photograph, changed).digests.tolist()
    assert first != second


def test_the_size_follows_the_orientation(photograph: Image.Image, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    photograph.save(tmp_path / "turned.png", exif=exif)
    assert facts_of(open_image(tmp_path / "turned.png")).sizes.tolist() == [[72, 96]]


def test_an_image_that_fails_has_an_error(photograph: Image.Image) -> None:
    broken = Image.fromarray(np.full((4, 4), np.nan, np.float32))
    facts = facts_of(photograph, broken)
    assert list(facts.errors) == [1]
    assert "NaN" in facts.errors[1]
    assert facts.readable.tolist() == [0]
