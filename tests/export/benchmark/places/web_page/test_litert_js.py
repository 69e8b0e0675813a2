from __future__ import annotations

import io
import json
import lzma
import tarfile
from pathlib import Path

import pytest

from export.benchmark.places.place import PlaceError
from export.benchmark.places.web_page import litert_js

PACKED = {"core.js": b'import { a } from "@litertjs/wasm-utils";', "wasm-utils.js": b"export {}"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of this package's folder, without the packed files."""
    for name in litert_js.NPM_FILES:
        (tmp_path / name).write_bytes((litert_js.FOLDER / name).read_bytes())
    monkeypatch.setattr(litert_js, "FOLDER", tmp_path)
    return tmp_path


def pack(path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in PACKED.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    path.parent.mkdir()
    path.write_bytes(lzma.compress(buffer.getvalue()))


def test_versions_and_hashes_are_pinned() -> None:
    lock = json.loads((litert_js.FOLDER / "package-lock.json").read_bytes())
    stated = json.loads((litert_js.FOLDER / "package.json").read_bytes())["dependencies"]
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert set(packages) == {f"node_modules/{name}" for name in stated}
    for name, version in stated.items():
        entry = packages[f"node_modules/{name}"]
        assert entry["version"] == version == litert_js.version()
        assert entry["integrity"].startswith("sha512-")
        assert entry["license"] == "Apache-2.0"


def test_packed_files_are_read(folder: Path) -> None:
    pack(litert_js.archive_path())
    assert litert_js.archive_path().is_relative_to(folder)
    files = litert_js.read()
    assert files == PACKED | {"core.js": b'import { a } from "./wasm-utils.js";'}


def test_damaged_files_are_named(folder: Path) -> None:
    path = litert_js.archive_path()
    pack(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(PlaceError, match=r"is damaged .*: delete it"):
        litert_js.read()


def test_missing_npm_is_named(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(folder))
    with pytest.raises(PlaceError, match=r"npm is missing.*apt-get install npm"):
        litert_js.read()


def test_a_failing_npm_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    npm = folder / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code EINTEGRITY' >&2\nexit 1\n")
    npm.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/bin")
    with pytest.raises(PlaceError, match=r"npm cannot fetch LiteRT.js \(code EINTEGRITY\)"):
        litert_js.read()
    assert not litert_js.archive_path().parent.exists()
