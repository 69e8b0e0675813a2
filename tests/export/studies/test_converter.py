from __future__ import annotations

from pathlib import Path

from export.recipes import RECIPES
from export.studies.converter import ConvertedFile, claims, converter


def test_both_tools_make_the_files_that_need_no_training(tmp_path: Path) -> None:
    record = converter("lenet5", tmp_path, num_images=3)
    made: dict[str, set[str]] = {"cnn-keras": set(), "TFLiteConverter": set()}
    for file in record["files"]:
        made[file["tool"]].add(file["recipe"])
        assert file["seconds"] > 0
        assert file["size_bytes"] > 60_000 / 4  # LeNet-5 has as many parameters
    assert made["cnn-keras"] == {row.name for row in RECIPES.values() if not row.techniques}
    assert made["TFLiteConverter"] == {
        "float32",
        "float16",
        "dynamic_wi8_afp32",
        "static_wi8_ai8",
        "static_wi8_ai16",
    }
    sizes = {(file["tool"], file["recipe"]): file["size_bytes"] for file in record["files"]}
    for name in made["TFLiteConverter"]:  # it stores the same numbers
        ratio = sizes["cnn-keras", name] / sizes["TFLiteConverter", name]
        assert 0.7 < ratio < 1.4
    assert (tmp_path / "converter.svg").is_file()


def test_one_conversion_and_calibration_are_the_limit() -> None:
    def files(int8: float) -> list[ConvertedFile]:
        return [
            ConvertedFile("float32", "cnn-keras", 10.0, 1),
            ConvertedFile("static_wi8_ai8", "cnn-keras", int8, 1),
            ConvertedFile("dynamic_wi4_afp32", "cnn-keras", 1.0, 1),
            ConvertedFile("float32", "TFLiteConverter", 20.0, 1),
            ConvertedFile("static_wi8_ai8", "TFLiteConverter", 60.0, 1),
        ]

    within, less = claims(files(62.0))
    assert within.holds
    assert within.value == 73.0
    assert less.value == 72 / 80
    beyond, more = claims(files(71.0))
    assert not beyond.holds
    assert not more.holds
