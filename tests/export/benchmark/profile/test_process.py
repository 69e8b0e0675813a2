from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from export.benchmark.profile.operator_runner import ProfileOptions
from export.benchmark.profile.process import profile
from export.tflite.interpreter import ModelFileError


def test_a_file_that_litert_cannot_run_is_one_line(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "operations.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("whole.tflite", file("flex").read_bytes())
    options = ProfileOptions(str(path), [], [], num_threads=1, secs=0.1, copies=[])
    with pytest.raises(ModelFileError) as caught:
        profile(Path("net.tflite"), options)
    assert len(str(caught.value).splitlines()) == 1
