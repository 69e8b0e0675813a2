from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from export.benchmark.profile.archive import PEAKS, write_archive
from export.tflite.interpreter import ModelFileError
from export.tflite.raw_model import RawModel
from tests.fixtures.tiny_files import SHAPE

IMAGE = np.random.default_rng(0).uniform(-1, 1, (1, *SHAPE)).astype(np.float32)


def test_an_archive_has_each_file_with_its_inputs(
    file: Callable[[str], Path], tmp_path: Path
) -> None:
    path = tmp_path / "operations.zip"
    found = write_archive(str(file("float32")), IMAGE, str(path))
    assert found.operators[0].op == "CONV_2D"
    assert all(each.content == b"" for each in found.operators)
    with zipfile.ZipFile(path) as archive:
        for name in ("whole", "call", *found.names, *PEAKS):
            model = RawModel(archive.read(f"{name}.tflite"))
            with archive.open(f"{name}_0.npy") as opened:
                model.set_inputs([np.load(opened)])
            model.invoke()
            assert model.is_delegated()


def test_a_damaged_file_is_refused(file: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(ModelFileError):
        write_archive(str(file("truncated")), IMAGE, str(tmp_path / "operations.zip"))
