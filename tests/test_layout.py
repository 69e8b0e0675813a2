"""The limits of the source tree: short files, small folders, and tests that mirror the packages."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("cnn_keras", "export")
MAX_LINES = 450
MAX_MODULES = 12  # in a folder, without `__init__`

SOURCES = sorted(path for folder in (*PACKAGES, "tests") for path in (ROOT / folder).rglob("*.py"))
MODULES = [path for path in SOURCES if not path.name.startswith("__")]
TESTS = [path for path in MODULES if path.name.startswith("test_")]

_IMPORT_OF_TESTS = re.compile(
    r"^ *(from|import) tests\.[\w.]*\b(test_\w+|conftest)\b", re.MULTILINE
)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def modules_of(package: str) -> list[Path]:
    return [path for path in MODULES if path.is_relative_to(ROOT / package)]


def test_files_are_short() -> None:
    lines = {relative(path): len(path.read_text("utf-8").splitlines()) for path in SOURCES}
    assert {path: count for path, count in lines.items() if count > MAX_LINES} == {}


def test_folders_are_small() -> None:
    counts = Counter(relative(path.parent) for path in MODULES)
    assert {folder: count for folder, count in counts.items() if count > MAX_MODULES} == {}


@pytest.mark.parametrize("package", PACKAGES)
def test_each_module_has_a_test_file(package: str) -> None:
    expected = {f"tests/{relative(path.parent)}/test_{path.name}" for path in modules_of(package)}
    assert sorted(expected - set(map(relative, TESTS))) == []


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_each_test_file_is_named_after_a_module(path: Path) -> None:
    """`test_cli_external.py` tests the module `cli`, `models/test_models.py` a whole folder."""
    folder = path.parent.relative_to(ROOT / "tests")
    if folder.parts and folder.parts[0] in PACKAGES:
        names = [module.stem for module in (ROOT / folder).glob("*.py")] + [folder.name]
        tested = path.stem.removeprefix("test_")
        assert any(tested == name or tested.startswith(f"{name}_") for name in names)


def test_no_module_imports_a_test_file() -> None:
    """What several test files share is in `tests/fixtures`."""
    importing = [relative(p) for p in SOURCES if _IMPORT_OF_TESTS.search(p.read_text("utf-8"))]
    assert importing == []
