from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.fixtures.command_line import run_main

from .broken_files import BROKEN
from .image_files import KINDS, ImageFiles, write
from .planted import differences


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ImageFiles:
    folder = tmp_path_factory.mktemp("images")
    return write(folder, 240, broken=len(BROKEN), copies=20)


def test_the_check_lists_exactly_what_was_planted(
    files: ImageFiles, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_main(capsys, "dataset", "check", f"folder:{files.folder}", "--json")
    document = json.loads(out)
    assert (code, err) == (1, "")
    assert document["images"] == 240
    assert differences(files, document) == []
    assert set(document["formats"]) == {"JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "PPM"}
    modes = {"RGB", "RGBA", "L", "LA", "P", "1", "I;16", "F", "CMYK", "LAB"}
    assert set(document["modes"]) == modes
    assert document["leaks"] == 20


def test_differences_are_named(files: ImageFiles) -> None:
    empty = {"broken": [], "exact_duplicates": [], "near_duplicates": []}
    assert len(differences(files, empty)) == len(BROKEN) + 20
    names = ("train/china/a.png", "train/china/b.png")
    group = {"across_splits": False, "images": [{"image": name} for name in names]}
    found = differences(ImageFiles(files.folder, {}, [], []), empty | {"near_duplicates": [group]})
    assert found[-1] == f"near, not planted: {', '.join(names)}"
    assert found[0].startswith("near, within a split")


def test_images_are_in_folders_of_any_depth_with_every_orientation(files: ImageFiles) -> None:
    paths = [path for path in files.folder.rglob("IMG*") if path.is_file()]
    depths = {len(path.relative_to(files.folder).parts) for path in paths}
    assert depths == {3, 4, 5, 6}
    orientations = set()
    for path in paths:
        with Image.open(path) as image:
            orientations.add(image.getexif().get(0x0112, 1))
            assert 350 <= min(image.size) <= max(image.size) <= 560
    assert orientations == set(range(1, 9))


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    digests = []
    for place, seed in (("a", 0), ("b", 0), ("c", 1)):
        write(tmp_path / place, 2 * len(KINDS) + 24, broken=20, copies=4, seed=seed)
        paths = sorted(path for path in (tmp_path / place).rglob("*") if path.is_file())
        digest = hashlib.sha256()
        for path in paths:
            digest.update(str(path.relative_to(tmp_path / place)).encode() + path.read_bytes())
        digests.append(digest.hexdigest())
    assert digests[0] == digests[1] != digests[2]
