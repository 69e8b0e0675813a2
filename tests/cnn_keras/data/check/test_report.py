from __future__ import annotations

import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from rich.console import Console

from cnn_keras.data.check.report import check, render
from cnn_keras.data.preprocessing import Preprocessing, open_image
from tests.fixtures.image_folders import write, write_photographs

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)

# Each line is one group, split and image; the originals are 18 tiles of each photograph in train/.
EXACT = [
    {("train", "train/china/01_RGB.png"), ("test", "test/china/bytes.png")},
    {("train", "train/china/03_RGB.bmp"), ("validation", "val/china/format.tif")},
    {("train", "train/flower/10_L.png"), ("validation", "val/flower/mode.webp")},
    {("train", "train/flower/08_RGBA.png"), ("test", "test/flower/turned.png")},
    {("train", "train/flower/16_RGB.png"), ("train", "train/flower/deeper/within.png")},
    {("train", "train/china/16_RGB.png"), ("train", "train/flower/mislabeled.png")},
]
NEAR = [
    {("train", "train/china/07_CMYK.jpg"), ("test", "test/china/half.jpg")},
    {("train", "train/flower/15_RGB.jpg"), ("validation", "val/flower/half.jpg")},
]
BROKEN = {
    ("train", "train/china/cut.jpg"),
    ("train", "train/flower/text.png"),
    ("validation", "val/china/heic.jpg"),
    ("test", "test/flower/empty.gif"),
    ("test", "test/flower/nan.tif"),
}


def half(source: Path, target: Path) -> None:
    with Image.open(source) as image:
        image.convert("RGB").resize((48, 36)).save(target, quality=75)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiles of photographs of every format and mode, with planted copies and broken files."""
    folder: Path = tmp_path_factory.mktemp("planted")
    write_photographs(folder / "train", 18)
    write_photographs(folder / "val", 6, first=18)
    write_photographs(folder / "test", 6, first=24)
    train, val, test = (folder / name for name in ("train", "val", "test"))
    shutil.copy(train / "china/01_RGB.png", test / "china/bytes.png")
    open_image(train / "china/03_RGB.bmp").save(val / "china/format.tif")
    open_image(train / "flower/10_L.png").convert("RGB").save(
        val / "flower/mode.webp", lossless=True
    )
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = open_image(train / "flower/08_RGBA.png").convert("RGB").rotate(90, expand=True)
    turned.save(test / "flower/turned.png", exif=exif)
    (train / "flower/deeper").mkdir()
    shutil.copy(train / "flower/16_RGB.png", train / "flower/deeper/within.png")
    shutil.copy(train / "china/16_RGB.png", train / "flower/mislabeled.png")
    half(train / "china/07_CMYK.jpg", test / "china/half.jpg")
    half(train / "flower/15_RGB.jpg", val / "flower/half.jpg")
    whole = (train / "china/00_RGB.jpg").read_bytes()
    (train / "china/cut.jpg").write_bytes(whole[: len(whole) // 2])
    (train / "flower/text.png").write_text("no image", encoding="utf-8")
    (val / "china/heic.jpg").write_bytes(HEIC)
    (test / "flower/empty.gif").touch()
    Image.fromarray(np.full((20, 20), np.nan, np.float32)).save(test / "flower/nan.tif")
    return folder


@pytest.fixture(scope="module")
def document(planted: Path) -> dict[str, Any]:
    return check(f"folder:{planted}", input_size=(40, 60), sheet=planted / "sheet.png")


def members(groups: list[dict[str, Any]]) -> list[set[tuple[str, str]]]:
    return [{(each["split"], each["image"]) for each in group["images"]} for group in groups]


def by_name(groups: list[set[tuple[str, str]]]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(group) for group in groups)


def test_exactly_the_planted_files_are_found(document: dict[str, Any]) -> None:
    assert {(each["split"], each["image"]) for each in document["broken"]} == BROKEN
    assert by_name(members(document["exact_duplicates"])) == by_name(EXACT)
    assert by_name(members(document["near_duplicates"])) == by_name(NEAR)
    assert document["leaks"] == 6
    across = [group["across_classes"] for group in document["exact_duplicates"]]
    assert sum(across) == 1
    for each in document["broken"]:
        assert Path(each["image"]).name in each["error"]


def test_images_are_counted(document: dict[str, Any]) -> None:
    assert document["images"] == 60 + 8 + 5
    assert document["classes"] == {
        "train": {"china": 19, "flower": 21},
        "validation": {"china": 8, "flower": 8},
        "test": {"china": 8, "flower": 9},
    }
    assert document["imbalance"] == {"train": 1.105, "validation": 1.0, "test": 1.125}
    assert document["sizes"]["width"] == {"min": 48, "median": 96.0, "max": 96}
    assert document["sizes"]["most_frequent"][0] == {"width": 96, "height": 72, "images": 66}
    assert sum(document["modes"].values()) == sum(document["formats"].values()) == 68
    assert document["modes"]["CMYK"] == 4
    assert document["modes"]["I;16"] == 8
    assert set(document["formats"]) == {"JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"}
    assert document["gray_images"] == 21  # with a copy in RGB


def test_images_smaller_than_the_input_are_listed(document: dict[str, Any]) -> None:
    small = document["smaller_than_input"]
    assert (small["height"], small["width"]) == (40, 60)
    assert sorted(small["images"]) == ["test/china/half.jpg", "val/flower/half.jpg"]


def test_the_sheet_is_written(document: dict[str, Any], planted: Path) -> None:
    assert document["sheet"] == str(planted / "sheet.png")
    assert open_image(planted / "sheet.png").format == "PNG"


def test_the_text_names_all_findings(document: dict[str, Any]) -> None:
    console = Console(file=io.StringIO(), width=300)
    console.print(render(document))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    for groups in (EXACT, NEAR, [BROKEN]):
        for group in groups:
            for _, image in group:
                assert Path(image).name in text
    assert "(different classes)" in text
    assert "train 1.105, validation 1, test 1.125" in text
    assert "images smaller than the input of 40×60: 2, for example" in text
    assert "broken files: 5; groups of duplicates in more than one split: 6" in text


def test_a_good_folder_has_no_findings(tmp_path: Path) -> None:
    write_photographs(tmp_path / "photographs", 20)
    document = check(f"folder:{tmp_path / 'photographs'}")
    assert sum(document["classes"]["validation"].values()) == 4
    found = {name: document[name] for name in ("broken", "exact_duplicates", "near_duplicates")}
    assert found == {"broken": [], "exact_duplicates": [], "near_duplicates": []}
    assert document["leaks"] == 0
    assert not {"smaller_than_input", "inverted", "sheet"} & set(document)


def test_the_search_for_near_duplicates_can_be_turned_off(planted: Path) -> None:
    document = check(f"folder:{planted}", similarity=1)
    assert document["near_duplicates"] == []
    assert len(document["exact_duplicates"]) == 6
    assert document["leaks"] == 4


def test_inverted_gray_images_are_reported(tmp_path: Path) -> None:
    write(tmp_path / "digits")
    for mean, expected in ((178.0, True), (77.0, False)):
        document = check(
            f"folder:{tmp_path / 'digits'}",
            preprocessing=Preprocessing(28, 28, 1, (mean,), (95.0,)),
        )
        assert document["inverted"]["likely"] is expected
        assert document["inverted"]["gray_images"] == 30


def test_a_folder_of_broken_files_is_described(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for index in range(5):
            (tmp_path / "data" / name / f"{index}.png").touch()
    document = check(f"folder:{tmp_path / 'data'}", sheet=tmp_path / "sheet.png")
    assert len(document["broken"]) == 10
    assert document["sizes"] == {"most_frequent": []}
    Console(file=io.StringIO()).print(render(document))
