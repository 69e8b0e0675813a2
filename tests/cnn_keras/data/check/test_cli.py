from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cnn_keras.training.run_folder import Run
from tests.fixtures.command_line import run_main
from tests.fixtures.image_folders import write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for place, name in enumerate(("train", "val")):
        write(tmp_path / "data" / name, count=5, first=5 * place)
    return tmp_path / "data"


def test_a_good_folder_passes(
    folder: Path, lenet_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_main(
        capsys, "dataset", "check", f"folder:{folder}", "--run", lenet_run.path, "--json"
    )
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["inverted"] == {"images": 0, "gray_images": 30, "likely": False}
    assert document["smaller_than_input"] == {"height": 32, "width": 32, "images": []}
    assert document["leaks"] == 0


def test_a_leak_and_a_broken_file_fail(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("dataset", "check", f"folder:{folder}", "--image-size", "64")
    shutil.copy(folder / "train/one/000.png", folder / "train/one/again.png")
    code, out, _ = run_main(capsys, *arguments)
    assert code == 0  # a duplicate within a split is no leak
    assert "Groups of exact duplicates: 1" in out
    assert "images smaller than the input of 64×64: 31" in out
    shutil.copy(folder / "train/one/000.png", folder / "val/one/leak.png")
    code, out, _ = run_main(capsys, *arguments)
    assert code == 1
    assert "val/one/leak.png" in out
    (folder / "val/one/leak.png").write_bytes(b"")
    code, out, _ = run_main(capsys, *arguments)
    assert code == 1
    assert "broken files: 1" in out


def test_named_data_sets_are_checked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sheet = tmp_path / "new" / "digits.png"
    code, out, _ = run_main(capsys, "dataset", "check", "digits", "--sheet", sheet)
    assert code == 0
    assert "no broken files, no leaks" in out
    assert sheet.read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ("digit", 2, "Did you mean 'digits'?"),
        ("folder:{}/missing", 1, "No such folder of images"),
        ("folder:{}", 1, "has only the class 'data'"),
        ("digits --image-size 0", 2, "--image-size must be 1 or more, not 0"),
        ("digits --image-size 32 --run {}", 2, "--image-size or --run, not both"),
        ("digits --run {}/missing", 1, "No such run folder"),
        ("digits --run {}", 1, "lacks preprocessing.json"),
        ("digits --run {}/damaged", 1, "preprocessing.json is not valid JSON"),
        ("digits --similarity 1.5", 2, "--similarity is above 0 and at most 1, not 1.5"),
        ("digits --sheet {}/sheet.jpg", 2, "--sheet takes a .png file"),
        ("digits --sheet /proc/new/sheet.png", 1, "/proc"),
        ("", 2, "DATA"),
    ],
)
def test_bad_input_is_reported_in_one_line(
    arguments: str, code: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "preprocessing.json").write_text("{", encoding="utf-8")
    (tmp_path / "lone" / "data").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    target = tmp_path / "lone" if arguments == "folder:{}" else tmp_path
    words = (word.replace("{}", str(target)) for word in arguments.split())
    found, out, err = run_main(capsys, "dataset", "check", *words)
    assert (found, out) == (code, "")
    assert message in err
    assert err.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before
