from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnn_keras.command import quiet, write_atomic


def test_a_file_is_whole_or_absent(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file.txt"
    write_atomic(path, "first")
    write_atomic(path, b"second")
    assert path.read_bytes() == b"second"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]
    assert path.stat().st_mode & 0o777 == 0o644
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_atomic(tmp_path / "taken", "a folder stands there")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "taken"]


def test_quiet_silences_what_native_code_writes(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet(1, 2):
        os.write(1, b"from C++")
        os.write(2, b"from C++")
    os.write(1, b"after")
    out, err = capfd.readouterr()
    assert (out, err) == ("after", "")
